"""What engines say of their KV caches, brought into the prefix index: subscriptions, the order of messages, what is known of whom."""
