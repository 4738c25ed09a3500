"""What windlass knows of Slack: the address of its webhook, which is a secret, and that alerts go there."""

from windlass.registry import Connector

__all__ = ["CONNECTOR"]

CONNECTOR = Connector(
    type="slack",
    form="secret_url",
    schemes=("slackwebhook", "slack"),
    example="https://hooks.slack.com/services/…",
    alert="windlass.connectors.slack.alert:send",
)
