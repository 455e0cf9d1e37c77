"""A connection that outlives the ones that carry it: what was lost on the way is sent again."""
