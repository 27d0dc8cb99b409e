"""Stepping through both sweeps, in Python and on a self-contained HTML page."""
