"""Methods that lost to back-propagation, on the problems that decided it."""
