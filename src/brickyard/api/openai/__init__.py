"""The OpenAI wire vocabulary: error bodies and the endpoints the gateway knows."""
