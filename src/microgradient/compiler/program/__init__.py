"""The first level: a function as a straight-line program in static single assignment form."""
