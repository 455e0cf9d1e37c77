"""Bytes over a WebSocket: the connection of either side, and the client that opens one."""
