"""Other numbers to evaluate a recorded graph in: 50 digits, Fractions, series, bounds, formulas."""
