"""The keys of a Slack connection."""

from __future__ import annotations

from windlass.connectors.options import ConnectionOptions

__all__ = ["Connection"]


class Connection(ConnectionOptions):
    """Slack, by a webhook or by a bot."""

    channel: str | None = None
    """The channel that a bot writes to, by name (`#data`) or id; its token is then the password of the address:
    `slack://:xoxb-…@slack.com`. A webhook has its channel."""
