"""Webhooks: messages as JSON of any shape."""
