"""What windlass knows of e-mail: a server that takes mail, and that messages go there."""

from windlass.registry import Connector

__all__ = ["CONNECTOR"]

CONNECTOR = Connector(
    type="smtp",
    form="server",
    schemes=("smtp", "smtps"),
    example="smtp://user:password@mail.example.com:587?to=data@example.com",
    open_options=("from", "to", "tls"),
    alert="windlass.connectors.smtp.alert:send",
    alert_over="mail",
    dev_service="windlass.connectors.dev_messages:start_mail",
    options="windlass.connectors.smtp.options",
)
