"""Where clients come in: WebSocket, HTTP, and stdin with stdout."""
