"""The compact protocol: kkrpc 1.0 to 2.x."""
