"""ModelAdapter: a LoRA adapter in the pods of its base model."""
