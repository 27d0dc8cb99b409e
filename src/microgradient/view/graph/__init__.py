"""A graph as data for every view: its nodes numbered, grouped, folded, expanded, stepped."""
