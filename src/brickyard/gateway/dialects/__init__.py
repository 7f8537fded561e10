"""What a request body means: one module per OpenAI endpoint, one table of them (``registry``)."""
