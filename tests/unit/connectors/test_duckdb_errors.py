"""What DuckDB says when something is wrong, in our words."""

from __future__ import annotations

import duckdb
import pytest

from windlass.connectors.scratch import duckdb_errors
from windlass.errors import Code, FatalError, RetryableError


def test_an_error_within_an_error_is_said_and_not_shown_as_json() -> None:
    text = (
        "IO Error: Async write failed for range [offset=3941791, size=983097]: "
        '{"exception_type":"IO","exception_message":"Could not write file \\"/x/a.parquet\\": No space left on device","errno":"28"}'
    )
    with pytest.raises(RetryableError) as raised, duckdb_errors():
        raise duckdb.IOException(text)
    assert raised.value.message == (
        'no space left on the disk: IO Error: Could not write file "/x/a.parquet": No space left on device'
    )
    assert raised.value.code is Code.DISK_FULL
    with pytest.raises(FatalError, match=r'^Binder Error: no \{"exception_type": here$'), duckdb_errors():
        raise duckdb.BinderException('Binder Error: no {"exception_type": here\nLINE 1: …')
