"""Calls: what a user holds of one, its state, its iterators, its buffer and its callbacks."""
