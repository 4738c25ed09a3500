"""PagerDuty: incidents that are opened by a failure and resolved by a recovery."""
