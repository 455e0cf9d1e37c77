"""The table view: a row for each value, a column for each name."""
