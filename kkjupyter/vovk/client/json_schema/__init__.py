"""Values against JSON Schemas of a server's, in bounded time."""
