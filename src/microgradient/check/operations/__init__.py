"""Rows of the table checked: proved, and measured in units in the last place."""
