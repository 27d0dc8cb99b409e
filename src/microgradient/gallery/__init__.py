"""Rivals and descendants of back-propagation, each in a page of code with numbers to check."""
