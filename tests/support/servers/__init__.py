"""Servers of a test's own on this machine, and what may stand between them and their clients."""
