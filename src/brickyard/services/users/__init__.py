"""Users, their limits and their API keys over HTTP: ``shapes`` of what is said, ``routes`` that say it."""
