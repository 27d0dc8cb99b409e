"""Arguments into flat numbers, and flat numbers back into results."""
