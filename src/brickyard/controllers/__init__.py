"""Controllers of the AIBrix kinds: each reads what is, decides in a pure plan, and moves its object one step."""
