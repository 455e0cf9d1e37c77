"""``kk.show``, ``kk.compare``, the last line of a cell: what is shown, and waiting for it."""
