"""What of MongoDB needs no server: documents that cannot be read, and what servers say, which ours for tests do not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from bson import Decimal128, ObjectId, encode
from pymongo import errors

from windlass.connectors.mongodb.client import mongodb_errors
from windlass.connectors.mongodb.extended_json import DuplicateNameError, from_plain, from_text, to_text
from windlass.connectors.mongodb.reading.spool import Spool
from windlass.connectors.mongodb.writing.stage import bad_document, write_errors
from windlass.connectors.rows import Reason
from windlass.errors import Code, FatalError, RetryableError, WindlassError


def test_a_document_with_text_that_is_not_utf8_is_rejected_and_no_other(tmp_path: Path) -> None:
    bad = encode({"_id": 2, "v": "xx"}).replace(b"xx", b"\xff\xfe")
    spool = Spool("m.source", tmp_path / "spool")
    spool.fill([encode({"_id": 1}) + bad + encode({"_id": 3}), encode({"_id": 4})])
    for _ in range(2):  # it is read more than once
        assert [document["_id"] for part in spool.read() for document in part] == [1, 3, 4]
        assert [(row.reason, row.value) for row in spool.rejected] == [(Reason.WRONG_ENCODING, "2")]


def test_a_document_that_a_validator_refuses_says_which_rule() -> None:
    rules = [
        {"operatorName": "required", "missingProperties": ["mail"]},
        {"operatorName": "properties", "propertiesNotSatisfied": [{"propertyName": "age"}]},
    ]
    error = {
        "code": 121,
        "errmsg": "Document failed validation",
        "errInfo": {"details": {"operatorName": "$jsonSchema", "schemaRulesNotSatisfied": rules}},
    }
    row = bad_document(error, {"_id": ObjectId("0" * 24), "age": "x"})
    assert row.reason is Reason.CHECK_VIOLATION
    assert row.message == "Document failed validation: required (mail); properties (age)"
    assert row.record == {"_id": "0" * 24, "age": "x"}


@pytest.mark.parametrize(
    ("code", "reason"), [(11000, Reason.UNIQUE_VIOLATION), (17280, Reason.REFUSED), (None, Reason.REFUSED)]
)
def test_a_document_that_the_server_refuses_says_why(code: int | None, reason: Reason) -> None:
    assert bad_document({"code": code, "errmsg": "no"}, {}).reason is reason


def test_a_write_that_is_not_confirmed_may_work_later() -> None:
    details = {"writeConcernErrors": [{"errmsg": "waiting for replication timed out"}], "writeErrors": []}
    with pytest.raises(RetryableError, match="waiting for replication"):
        write_errors(errors.BulkWriteError(details))


@pytest.mark.parametrize(
    ("raised", "kind", "code"),
    [
        (errors.OperationFailure("Authentication failed.", 18), FatalError, Code.NOT_LET_IN),
        (errors.OperationFailure("not authorized on shop", 13), FatalError, Code.NOT_LET_IN),
        (errors.OperationFailure("shutdown in progress", 91), RetryableError, Code.CONNECTION_LOST),
        (errors.OperationFailure("unknown operator: $x", 2), FatalError, Code.CANNOT_BE_DONE),
        (errors.NotPrimaryError("not primary"), RetryableError, Code.CONNECTION_LOST),
        (errors.AutoReconnect("connection closed"), RetryableError, Code.CONNECTION_LOST),
        (errors.ExecutionTimeout("operation exceeded time limit", 50), RetryableError, Code.CONNECTION_LOST),
        (errors.WriteConcernError("no", 100), RetryableError, Code.CONNECTION_LOST),
        (errors.WTimeoutError("waiting for replication", 64), RetryableError, Code.CONNECTION_LOST),
        (
            errors.ServerSelectionTimeoutError("h:1: Connection refused"),
            RetryableError,
            Code.CONNECTION_REFUSED,
        ),
        (errors.ServerSelectionTimeoutError("CERTIFICATE_VERIFY_FAILED"), FatalError, Code.NOT_LET_IN),
        (errors.ConfigurationError("The resolution lifetime expired"), RetryableError, Code.CONNECTION_LOST),
        (errors.InvalidURI("bad"), FatalError, Code.UNREADABLE_ADDRESS),
    ],
    ids=repr,
)
def test_what_the_driver_raises_says_whether_to_try_again(
    raised: Exception, kind: type[WindlassError], code: Code
) -> None:
    with pytest.raises(kind) as found, mongodb_errors("h:1"):
        raise raised
    assert (found.value.code, found.value.__cause__) == (code, raised)


@pytest.mark.parametrize(
    "text", ["1", "1.5", '"x"', "null", "[]", '{"a": [1, {"$oid": "000000000000000000000000"}]}']
)
def test_extended_json_says_what_was_read(text: str) -> None:
    assert to_text(from_text(text)) == text


def test_numbers_of_json_are_exact() -> None:
    assert from_text("0.1") == 0.1
    assert from_text("0.10000000000000001") == Decimal128("0.10000000000000001")
    assert from_text("9223372036854775808") == Decimal128("9223372036854775808")
    assert from_text("1E400") == Decimal128("1E+400")


def test_a_name_twice_is_told() -> None:
    with pytest.raises(DuplicateNameError):
        from_text('{"a": {"b": 1, "b": 2}}')


def test_a_filter_keeps_its_operators() -> None:
    written: dict[str, Any] = {"$or": [{"a": {"$gt": 1, "$lte": 5}}, {"b": {"$in": [{"$oid": "0" * 24}]}}]}
    assert from_plain(written) == {
        "$or": [{"a": {"$gt": 1, "$lte": 5}}, {"b": {"$in": [ObjectId("0" * 24)]}}]
    }


@pytest.mark.parametrize("text", ["2024-01-02", "2024-01-02 00:00:00+00:00", "2024-01-02T01:00:00+01:00"])
def test_a_date_may_have_any_form_of_iso_8601(text: str) -> None:
    """That of `{{ data_interval_start }}`, too."""
    assert int(from_plain({"$date": text})) == 1_704_153_600_000


@pytest.mark.parametrize(
    "text",
    [
        '{"$date": "soon"}',
        '{"$date": "2024-01-01T00:00:00.000001Z"}',
        '{"$oid": 1}',
        '{"$numberDecimal": "x"}',
        "{",
    ],
)
def test_what_is_no_extended_json_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        from_text(text)
