"""Bytes over a WebSocket: the connection on both sides, and the client that opens one."""
