"""Slack: alerts over an incoming webhook."""
