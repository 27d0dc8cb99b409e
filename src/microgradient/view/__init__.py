"""Views of a graph. Each is data first, then text or a picture; none changes the graph."""
