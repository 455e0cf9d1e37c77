"""JavaScript's values in Python, and their way to JSON and superjson and back."""
