"""A graph as a picture, drawn by Graphviz."""
