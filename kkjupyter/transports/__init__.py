"""Async movers of bytes. They know no protocol."""
