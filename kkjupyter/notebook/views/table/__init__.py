"""The table view: one row for each value, one column for each name."""
