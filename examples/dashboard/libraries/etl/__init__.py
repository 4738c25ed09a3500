"""What the steps in Python share."""
