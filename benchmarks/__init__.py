"""How fast windlass is, side by side with the raw limit and with peers, in one run."""
