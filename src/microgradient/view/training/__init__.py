"""A training run as it goes."""
