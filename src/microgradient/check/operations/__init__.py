"""Checks of the rows of the table: proofs, and accuracy in units in the last place."""
