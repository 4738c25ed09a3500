"""Microsoft Teams: messages over a webhook of its Workflows."""
