"""From a graph to straight-line code: programs, and their lowerings."""
