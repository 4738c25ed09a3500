"""Slack: messages over an incoming webhook, or by a bot."""
