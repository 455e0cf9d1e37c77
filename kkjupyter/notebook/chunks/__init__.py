"""What the chunks of LLM clients say: an extractor for each client's shape, one file and row each.

No client is imported. A chunk is known by what it has, as an object or as a dict.
"""
