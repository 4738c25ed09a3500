"""Writes the files beside it, which are made up: `python examples/taxi/data/generate.py`. Needs pyarrow.

A day of yellow taxis in a city that does not exist, in the form that New York's Taxi and Limousine
Commission publishes trips in, with the dirt that such files have; and a few trips of each month of another year. The same
rows come out every time.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Literal, NamedTuple

TRIPS = 25_000
DAY = datetime(2021, 1, 1)
CUT_OFF = "1,2021-0"  # how the file ends: the download that it came from broke off
YEAR, TRIPS_OF_A_MONTH = 2023, 400

HEADER = (
    *("VendorID", "tpep_pickup_datetime", "tpep_dropoff_datetime", "passenger_count", "trip_distance"),
    *("RatecodeID", "store_and_fwd_flag", "PULocationID", "DOLocationID", "payment_type", "fare_amount"),
    *("extra", "mta_tax", "tip_amount", "tolls_amount", "improvement_surcharge", "total_amount"),
    "congestion_surcharge",
)
BOROUGHS = {
    "Old Harbour": ("Ropewalk", "Lantern Hill", "Customs Row", "St. Elmo's", "Herring Market", "Chandlers"),
    "Northbank": ("Fennel Park", "Kiln Street", "Orchard Gate", "Millrace", "Long Meadow", "Sawyers"),
    "Southbank": ("Tannery", "Brickfields", "Marsh End", "Gasworks", "Lower Ferry", "Pilot's Green"),
    "The Heights": ("Observatory", "Windmill Rise", "Quarry Top", "Reservoir", "Larkhill", "Beacon"),
    "Sandgate": ("Dunes", "Lido", "Île aux Mouettes", "Breakwater", "Saltpans", "Marram"),
    "Eastfield": ("Station Town", "Foundry", "Canal Basin", "Tramsheds", "Allotments", "Nine Elms Lane"),
}  # fmt: skip
QUARTERS = ("", " North", " South", " East", " West", " Square", "/Embankment")
YELLOW = ("Old Harbour", "Northbank")
UNKNOWN, OUTSIDE = 254, 255


class Trip(NamedTuple):
    """A row, as it was before anything was lost."""

    vendor: int
    pickup: datetime
    dropoff: datetime
    passengers: int
    miles: Decimal
    rate: int
    stored: str
    zones: tuple[int, int]
    payment: int
    amounts: tuple[Decimal, ...]
    """Fare, extra, tax, tip, tolls and the two surcharges."""


def zones() -> Iterator[tuple[object, ...]]:
    """The lookup table: an airport, the quarters of the boroughs, and two that are not places."""
    yield 1, "Airport", "Skerry Field", "Airports"
    number = 1
    for borough, names in BOROUGHS.items():
        for name in names:
            for quarter in QUARTERS:
                number += 1
                service = "Yellow Zone" if borough in YELLOW else "Boro Zone"
                yield number, borough, f"{name}{quarter}", service
    yield UNKNOWN, "Unknown", "NV", "N/A"
    yield OUTSIDE, "Unknown", "NA", "N/A"


def trip(chance: Random, place: float) -> Trip:
    """A trip at a place of the day from 0 to 1."""
    vendor = 1 if chance.random() < 0.31 else 2
    pickup = DAY + timedelta(seconds=int(86_400 * place + 900 * chance.random()))
    miles = Decimal(int(35 + 400 * chance.random() + 1_500 * chance.random() ** 6)) / 100
    minutes = 2 + float(miles) * (3 + 2 * chance.random())
    airport = chance.random() < 0.03
    fare = Decimal(52) if airport else Decimal(int(5 + 5 * miles)) / 2
    payment = 1 if chance.random() < 0.67 else 2
    extra = Decimal("0.5") if pickup.hour < 6 or pickup.hour >= 20 else Decimal(0)
    tip = Decimal(int(100 * float(fare) * 0.3 * chance.random())) / 100 if payment == 1 else Decimal(0)
    tolls = Decimal("6.12") if airport or chance.random() < 0.03 else Decimal(0)
    congestion = Decimal("2.5") if chance.random() < 0.85 else Decimal(0)
    return Trip(
        vendor,
        pickup,
        pickup + timedelta(seconds=int(60 * minutes)),
        1 + int(6 * chance.random() ** 5),
        miles,
        2 if airport else 1,
        "Y" if chance.random() < 0.017 else "N",
        (1 if airport else _zone(chance), _zone(chance)),
        payment,
        (fare, extra, Decimal("0.5"), tip, tolls, Decimal("0.3"), congestion),
    )


def _zone(chance: Random) -> int:
    """Some zones are much more common than others; now and then one is not known."""
    return UNKNOWN if chance.random() < 0.008 else 2 + int(252 * chance.random() ** 1.7)


def soiled(chance: Random, clean: Trip) -> Iterator[Trip]:
    """The trip as it stands in the file: mostly as it was; with a wrong value; or more than once."""
    dice = chance.random()
    if dice < 0.020:
        yield clean._replace(passengers=0)
    elif dice < 0.0201:
        yield clean._replace(passengers=8, rate=99)
    elif dice < 0.035:
        yield clean._replace(miles=Decimal("0.00"), dropoff=clean.pickup + timedelta(seconds=20))
    elif dice < 0.036:  # the meter ran until midnight
        yield clean._replace(dropoff=DAY + timedelta(days=1))
    elif dice < 0.0364:  # its clock had stopped, or went back
        yield clean._replace(pickup=DAY - timedelta(days=4383), dropoff=DAY - timedelta(days=4383))
    elif dice < 0.0370:
        yield clean._replace(dropoff=clean.pickup - timedelta(minutes=7))
    elif dice < 0.0374:  # sent twice
        yield clean
        yield clean
    elif dice < 0.046:  # taken back: the same once more, in negative amounts
        yield clean._replace(payment=3 + int(2 * chance.random()))
        yield clean._replace(payment=4, amounts=tuple(-amount for amount in clean.amounts))
    else:
        yield clean


def fields(row: Trip, dispatched: bool) -> list[str]:
    """The row as text; `dispatched` by telephone, nobody noted vendor, passengers, rate and flag."""
    amounts = [_number(amount) for amount in row.amounts]
    noted = [str(row.vendor), str(row.passengers), str(row.rate), row.stored]
    vendor, passengers, rate, stored = [""] * 4 if dispatched else noted
    return [
        *(vendor, str(row.pickup), str(row.dropoff), passengers, _distance(row), rate, stored),
        *(str(zone) for zone in row.zones),
        *(str(row.payment), *amounts[:6], _number(sum(row.amounts, Decimal(0))), amounts[6]),
    ]


def _distance(row: Trip) -> str:
    """One of the vendors writes no zero before the point."""
    text = f"{row.miles:.2f}"
    return text.removeprefix("0") if row.vendor == 1 else text


def _number(value: Decimal) -> str:
    return f"{value or Decimal(0):.2f}".rstrip("0").rstrip(".")


def trip_file() -> str:
    """The file of trips, which ends in the middle of a row."""
    chance, rows = Random(20210101), list[list[str]]()
    while len(rows) < TRIPS - 1:
        place = len(rows) / TRIPS
        for row in soiled(chance, trip(chance, place)):
            rows.append(fields(row, dispatched=place > 0.97))
    return _csv([HEADER, *rows[: TRIPS - 1]], csv.QUOTE_MINIMAL) + CUT_OFF


def month(number: int) -> Iterator[list[object]]:
    """The rows of a month, with their types: whole numbers where some are missing are floats, as pandas has it."""
    chance, begin = Random(YEAR * 100 + number), datetime(YEAR, number, 1)
    days = (begin.replace(day=28) + timedelta(days=4)).replace(day=1) - begin
    rows = list[list[object]]()
    while len(rows) < TRIPS_OF_A_MONTH:
        shift = begin - DAY + timedelta(days=len(rows) * days.days // TRIPS_OF_A_MONTH)
        for row in soiled(chance, trip(chance, chance.random() * 0.98)):
            rows.append(_typed(row, shift, dispatched=chance.random() < 0.03))
    yield from rows[:TRIPS_OF_A_MONTH]


def _typed(row: Trip, shift: timedelta, dispatched: bool) -> list[object]:
    noted = [None, None, None] if dispatched else [float(row.passengers), float(row.rate), row.stored]
    amounts = [float(amount) for amount in row.amounts]
    total = float(sum(row.amounts, Decimal(0)))
    return [
        *(
            row.vendor,
            row.pickup + shift,
            row.dropoff + shift,
            noted[0],
            float(row.miles),
            noted[1],
            noted[2],
        ),
        *(*row.zones, row.payment, *amounts[:6], total, amounts[6], 0.0),
    ]


def write_months(folder: Path) -> None:
    """Write a file for each month. Later ones spell the last column with a capital."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder.mkdir(exist_ok=True)
    for number in range(1, 13):
        header = (*HEADER, "airport_fee" if number == 1 else "Airport_fee")
        columns = zip(*month(number), strict=True)
        table = pa.table({name: pa.array(column) for name, column in zip(header, columns, strict=True)})
        file = folder / f"yellow_tripdata_{YEAR}-{number:02}.parquet"
        pq.write_table(table, file, compression="zstd")


def _csv(rows: Iterable[Iterable[object]], quoting: Literal[0, 2]) -> str:
    out = io.StringIO()
    csv.writer(out, quoting=quoting, lineterminator="\n").writerows(rows)
    return out.getvalue()


def main() -> None:
    """Write all of them."""
    here = Path(__file__).parent
    here.joinpath("yellow_tripdata_2021-01.csv").write_text(trip_file(), encoding="utf-8", newline="")
    lookup = [("LocationID", "Borough", "Zone", "service_zone"), *zones()]
    text = _csv(lookup, csv.QUOTE_NONNUMERIC)
    here.joinpath("taxi_zone_lookup.csv").write_text(text, encoding="utf-8", newline="")
    write_months(here / "trip-data")


if __name__ == "__main__":
    main()
