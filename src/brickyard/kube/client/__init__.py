"""Async REST client. Objects are plain dicts; ``contract`` says what a client can do, ``rest`` does it over HTTPS."""
