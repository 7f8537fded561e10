"""The process that holds the API server, the node agent and the built-in controllers."""
