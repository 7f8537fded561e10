"""Several gateways act as one: what each has open and where it sent prompts, told to the others as it changes."""
