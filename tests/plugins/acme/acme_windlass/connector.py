"""Tills of Acme's shops, which are only read: what one keeps is a file of JSON, records by their kind."""

from __future__ import annotations

import json
from pathlib import Path

from windlass.connections import STAND_IN, Address
from windlass.connectors.ends import ConnectedEnd
from windlass.connectors.options import DevServiceOptions, SourceOptions
from windlass.connectors.relations import records_relation
from windlass.connectors.scratch import Scratch
from windlass.connectors.source import BaseSource, Reading, Relation
from windlass.devservices import DevService as Service
from windlass.options import OneOrMany
from windlass.registry import Connector

CONNECTOR = Connector(
    type="tills",
    form="file",
    schemes=("tills",),
    example="tills:///till.json",
    source="acme_windlass.connector:Tills",
    dev_service="acme_windlass.connector:start",
    options="acme_windlass.connector",
    rows_in="entity",
    told_by_address=("shops",),
)


class Source(SourceOptions):
    """Records of a till."""

    entity: str
    """What kind of records."""

    shops: OneOrMany[str] = ()
    """Whose. Default: those of all shops."""


class DevService(DevServiceOptions):
    """A till that stands in."""

    records: str
    """The file of the project that it keeps."""


class Tills(BaseSource):
    """Implements `Source`."""

    def __init__(self, end: ConnectedEnd[Source]) -> None:
        self.name, options = f"{end.connection}.{end.options.entity}", end.options
        kept = json.loads(Path(end.address.database).read_text(encoding="utf-8"))[options.entity]
        self._records = [record for record in kept if not options.shops or record["shop"] in options.shops]

    def fingerprint(self) -> dict[str, object]:
        return {"records": self._records}

    def open(self, reading: Reading, scratch: Scratch) -> Relation:
        return records_relation(self.name, (json.dumps(r).encode() for r in self._records), reading, scratch)


def start(service: Service) -> Address:
    """A file needs no server."""
    return Address("tills", origin=STAND_IN, database=str(service.project / service.options.records))
