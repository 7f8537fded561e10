"""What requests were like, written down for AIBrix' GPU optimizer: how many, how long their prompts, how long their answers."""
