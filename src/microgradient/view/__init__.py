"""Views of a graph: each is data first, then text or a picture, and changes no gradient."""
