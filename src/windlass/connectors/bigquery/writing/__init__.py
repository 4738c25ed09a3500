"""Tables as the destination of a copy."""
