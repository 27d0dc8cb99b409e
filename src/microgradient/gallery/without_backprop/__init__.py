"""Learning rules that send no error backward, on one set of digits."""
