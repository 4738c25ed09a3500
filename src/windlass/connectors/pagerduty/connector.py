"""What windlass knows of PagerDuty: an integration key, which is a secret, and that incidents are opened there."""

from windlass.registry import Connector

__all__ = ["CONNECTOR"]

CONNECTOR = Connector(
    type="pagerduty",
    form="secret_url",
    schemes=("pagerduty", "pagerdutyevents"),
    example="pagerduty://INTEGRATION_KEY@events.pagerduty.com",
    alert="windlass.connectors.pagerduty.alert:send",
    dev_service="windlass.connectors.dev_messages:start_http",
    alert_is_open=True,
)
