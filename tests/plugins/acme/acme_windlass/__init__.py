"""What Acme adds to windlass."""
