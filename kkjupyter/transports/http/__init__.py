"""HTTP requests, replies that are read as they arrive, and the heartbeat."""
