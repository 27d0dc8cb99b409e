"""The second level: a program's instructions rolled into affine loop nests."""
