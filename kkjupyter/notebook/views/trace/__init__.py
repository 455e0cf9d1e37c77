"""Traces as sequence diagrams: while a call runs, and of one that is over."""
