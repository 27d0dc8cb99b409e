"""Gradients compared with independent derivatives, within bounds of rounding errors."""
