"""Listeners for clients: WebSocket, HTTP, and stdin with stdout."""
