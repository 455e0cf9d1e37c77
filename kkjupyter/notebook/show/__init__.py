"""``kk.show``, ``kk.compare`` and the last line of a cell: showing a stream and waiting for it."""
