"""Connections to MongoDB, and what its errors mean here."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeAlias

from windlass.connections import Address
from windlass.errors import Code, FatalError, RetryableError, WindlassError, did_you_mean, extra

if TYPE_CHECKING:
    from pymongo import MongoClient
    from pymongo.database import Database

    Client: TypeAlias = MongoClient[dict[str, Any]]
    Db: TypeAlias = Database[dict[str, Any]]

__all__ = ["OURS", "Connection", "mongodb_errors", "not_there"]

OURS = "_windlass"
"""How the names of our own collections begin."""

_OWN_OPTIONS = ("collection", "silence")  # ours in an address; the driver would not know them
_SELECTION_SECONDS, _CONNECT_SECONDS, _SILENCE = 15, 10, 60

# https://github.com/mongodb/mongo/blob/master/src/mongo/base/error_codes.yml
_NOT_LET_IN = (13, 18, 8000)  # Unauthorized, AuthenticationFailed, and Atlas's word for the latter
_PASSING = frozenset(
    (6, 7, 43, 50, 89, 91, 112, 134, 175, 189, 237, 262, 9001, 10107, 11600, 11602, 13435, 13436)
)
"""Codes of what may work later: a server that is away, shutting down or no primary; time limits; conflicts; cursors of
a collection that somebody dropped."""


class Connection:
    """A client, and the database that its address names. Dates are read as milliseconds, so that each can be."""

    def __init__(self, address: Address) -> None:
        with extra("mongodb connections", "mongodb"):
            import pymongo
        from bson.codec_options import CodecOptions, DatetimeConversion

        if not address.database:
            hint = "end it with the name, such as mongodb://host/shop"
            raise FatalError(
                f"the address in {address.origin} names no database", hint=hint, code=Code.UNREADABLE_ADDRESS
            )
        self.where = f"{address.host or 'localhost'}{f':{address.port}' if address.port else ''}"
        self.silence = _seconds(address)  # without a sign of life, after which a load is gone
        with self.errors(), _unknown_options_are_errors(address):
            self.client: Client = pymongo.MongoClient(_uri(address), **_defaults(address))
        codec: CodecOptions[Any] = CodecOptions(datetime_conversion=DatetimeConversion.DATETIME_MS)
        self.database: Db = self.client.get_database(address.database, codec_options=codec)

    def close(self) -> None:
        self.client.close()

    @contextmanager
    def closed_on_error(self) -> Iterator[None]:
        """A context that closes the connection when something goes wrong in it."""
        try:
            yield
        except BaseException:
            self.close()
            raise

    def errors(self) -> Any:
        """A context in which the driver's exceptions become ours."""
        return mongodb_errors(self.where)

    def collections(self, name: str | None = None) -> dict[str, dict[str, Any]]:
        """What the server says of each collection, by name; of one only, if it is given."""
        wanted = {"name": name} if name is not None else {}
        with self.errors():
            found = {info["name"]: dict(info) for info in self.database.list_collections(filter=wanted)}
        return {key: info for key, info in found.items() if name is None or key == name}


def not_there(name: str, collection: str, known: Iterable[str]) -> FatalError:
    """The error for a collection that is missing."""
    names = [each for each in known if not each.startswith((OURS, "system."))]
    hint = did_you_mean(collection, names) or "the database has no collections"
    return FatalError(f"{name}: there is no collection {collection!r}", hint=hint, code=Code.NO_TABLE)


@contextmanager
def mongodb_errors(where: str) -> Iterator[None]:
    """Turn the driver's exceptions into ours."""
    from bson.errors import BSONError
    from pymongo.errors import PyMongoError

    try:
        yield
    except (PyMongoError, BSONError) as exc:
        raise _translated(where, exc) from exc


def _translated(where: str, exc: Exception) -> WindlassError:
    from pymongo import errors

    server, said = f"mongodb at {where}", _first_line(exc)
    if isinstance(exc, errors.ConfigurationError) and "lifetime expired" in said:  # of a look into the DNS
        return RetryableError(f"{server} cannot be found: {said}", code=Code.CONNECTION_LOST)
    if isinstance(exc, errors.ConfigurationError):  # and InvalidURI
        return FatalError(f"the address of {server} is not usable: {said}", code=Code.UNREADABLE_ADDRESS)
    if isinstance(exc, errors.ServerSelectionTimeoutError):
        return _unreachable(server, said)
    if isinstance(exc, errors.ConnectionFailure):  # AutoReconnect, NetworkTimeout, NotPrimaryError among them
        return RetryableError(f"lost the connection to {server}: {said}", code=Code.CONNECTION_LOST)
    if isinstance(exc, errors.OperationFailure):
        return _refused(server, said, exc)
    return FatalError(f"{server}: {said}")


def _unreachable(server: str, said: str) -> WindlassError:
    if "CERTIFICATE_VERIFY_FAILED" in said:
        hint = "name the authority in the address: ?tlsCAFile=…"
        return FatalError(
            f"{server} has a certificate that is not trusted: {said}", hint=hint, code=Code.NOT_LET_IN
        )
    if "refused" in said:
        return RetryableError(f"{server} refuses connections", code=Code.CONNECTION_REFUSED)
    return RetryableError(f"{server} cannot be reached: {said}", code=Code.CONNECTION_LOST)


def _refused(server: str, said: str, exc: Any) -> WindlassError:
    from pymongo.errors import WriteConcernError

    if exc.code in _NOT_LET_IN:
        hint = (
            "look at user, password and `authSource`" if exc.code != 13 else "the user lacks a role for this"
        )
        return FatalError(f"{server} does not let us in: {said}", hint=hint, code=Code.NOT_LET_IN)
    passing = exc.code in _PASSING or exc.timeout or exc.has_error_label("RetryableWriteError")
    if passing or isinstance(exc, WriteConcernError):  # which is written, and perhaps not everywhere
        return RetryableError(f"{server}: {said}", code=Code.CONNECTION_LOST)
    return FatalError(f"{server}: {said}")


def _first_line(exc: Exception) -> str:
    """What the driver says, without what it knows of its own state."""
    text = str(exc).strip().split("\n", 1)[0]
    for rest in (", full error: ", ", Timeout: ", " (configured timeouts: "):
        text = text.partition(rest)[0]
    return text


# --- addresses --------------------------------------------------------------------------------------


def _uri(address: Address) -> str:
    options = {key: value for key, value in address.options.items() if key not in _OWN_OPTIONS}
    scheme = "mongodb+srv" if address.scheme.endswith("+srv") else "mongodb"
    if options.pop("srv", "").lower() == "true":  # Airflow's provider has it so
        scheme = "mongodb+srv"
    return replace(address, scheme=scheme, host=address.host or "localhost", options=options).uri()


def _seconds(address: Address) -> float:
    text = address.options.get("silence", str(_SILENCE))
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0
    if not 0 < seconds < float("inf"):
        message = f"the connection in {address.origin} has silence={text}: expected a number of seconds"
        raise FatalError(message, code=Code.UNREADABLE_ADDRESS)
    return seconds


def _defaults(address: Address) -> dict[str, Any]:
    """What the address leaves open."""
    given = {key.lower() for key in address.options}
    defaults = {
        "appname": "windlass",
        "serverSelectionTimeoutMS": _SELECTION_SECONDS * 1000,
        "connectTimeoutMS": _CONNECT_SECONDS * 1000,
    }
    return {key: value for key, value in defaults.items() if key.lower() not in given}


@contextmanager
def _unknown_options_are_errors(address: Address) -> Iterator[None]:
    """The driver only warns of an option that it does not know, and goes on without."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)
            yield
    except (UserWarning, ValueError) as exc:
        message = f"the connection in {address.origin} has an option that MongoDB does not take: {exc}"
        raise FatalError(message, code=Code.UNREADABLE_ADDRESS) from exc
