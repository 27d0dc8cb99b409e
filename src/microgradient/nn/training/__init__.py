"""Training, eager and compiled, of one network or many replicas; the part of nn that compiles."""
