"""Who speaks kkrpc to us: the real library in Node, or a test message by message."""
