"""Views as text, HTML tables, LaTeX and CSV."""
