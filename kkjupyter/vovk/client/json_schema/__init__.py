"""Checks values against a server's JSON Schemas, in bounded time."""
