"""Files as the destination of a copy."""
