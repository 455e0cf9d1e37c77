"""Traces as sequence diagrams, of running and finished calls."""
