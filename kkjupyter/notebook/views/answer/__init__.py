"""The answer of a language model, drawn as chat products draw it, from the pieces of its chunks.

Its source is a line of JSON for each step (``records.py``), which the page reads as it grows.
"""
