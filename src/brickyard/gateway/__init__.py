"""The gateway: an OpenAI-compatible data plane (``proxy``), what requests mean (``dialects``), who can answer (``endpoints``)."""
