"""Serving an object: access, what clients reach, and how requests are answered."""
