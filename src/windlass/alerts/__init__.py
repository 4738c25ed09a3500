"""What somebody is told of a run, and how that gets to a connection.

message.py    what there is to say: of an incident, or of a `notify` task
wording.py    the same in words, for kinds that show text
delivery.py   to a connection of whatever kind: its connector writes the message in its own form
posting.py    what the kinds have in common that are told by an HTTP request
"""

from windlass.alerts.message import Event, Message, Told

__all__ = ["Event", "Message", "Told"]
