"""What windlass knows of Slack: a webhook or a bot's token, which are secrets, and that messages go there."""

from windlass.registry import Connector

__all__ = ["CONNECTOR"]

CONNECTOR = Connector(
    type="slack",
    form="secret_url",
    schemes=("slackwebhook", "slack"),
    example="https://hooks.slack.com/services/…",
    alert="windlass.connectors.slack.alert:send",
    dev_service="windlass.connectors.dev_messages:start_http",
    options="windlass.connectors.slack.options",
    open_options=("channel",),
)
