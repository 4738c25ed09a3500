"""What windlass knows of Teams: the address of a workflow's webhook, which is a secret, and that messages go there."""

from windlass.registry import Connector

__all__ = ["CONNECTOR"]

CONNECTOR = Connector(
    type="teams",
    form="secret_url",
    schemes=("teams", "msteams"),
    example="https://….logic.azure.com/workflows/…?sig=…",
    open_options=("api-version", "sp", "sv"),
    alert="windlass.connectors.teams.alert:send",
    dev_service="windlass.connectors.dev_messages:start_http",
)
