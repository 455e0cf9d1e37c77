"""A stream while it is shown: its feed, the cell that owns it, its reply, and the registry."""
