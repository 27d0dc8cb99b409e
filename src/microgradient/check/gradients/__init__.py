"""Gradients checked against independent derivatives, with bounds of rounding errors."""
