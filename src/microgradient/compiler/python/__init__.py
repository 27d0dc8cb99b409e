"""A program as Python source."""
