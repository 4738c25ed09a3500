"""Files as the source of a copy: one module a format, and what they have in common."""
