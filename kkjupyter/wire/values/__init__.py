"""JavaScript's values in Python, and their conversion to and from JSON and superjson."""
