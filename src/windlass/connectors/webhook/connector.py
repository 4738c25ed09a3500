"""What windlass knows of webhooks: an address, which is a secret, and that messages go there."""

from windlass.registry import Connector

__all__ = ["CONNECTOR"]

CONNECTOR = Connector(
    type="webhook",
    form="secret_url",
    schemes=("webhook",),
    example="https://host/hooks/…",
    alert="windlass.connectors.webhook.alert:send",
    dev_service="windlass.connectors.dev_messages:start_http",
    options="windlass.connectors.webhook.options",
)
