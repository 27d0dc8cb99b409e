"""Words of neural networks, and the older mathematics that they name."""
