"""The classic protocol: kkrpc 0.x."""
