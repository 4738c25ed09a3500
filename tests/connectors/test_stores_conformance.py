"""The suite that every connector passes, with objects of real stores: each store in one format, of which they share the code."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.connectors.sftp_server import SftpFolder
from tests.connectors.store_kit import Bucket, SftpKit, StoredCsvKit, StoredParquetKit
from windlass.testing import Conformance, Copier, Kit


class TestS3(Conformance):
    @pytest.fixture
    def kit(self, copier: Copier, s3: Callable[[], Bucket]) -> Kit:
        return StoredParquetKit(copier, s3())


class TestGcs(Conformance):
    @pytest.fixture
    def kit(self, copier: Copier, gcs: Callable[[], Bucket]) -> Kit:
        return StoredCsvKit(copier, gcs())


class TestAzure(Conformance):
    @pytest.fixture
    def kit(self, copier: Copier, azure: Callable[[], Bucket]) -> Kit:
        return StoredParquetKit(copier, azure())


class TestSftp(Conformance):
    @pytest.fixture
    def kit(self, copier: Copier, sftp: SftpFolder) -> Kit:
        return SftpKit(copier, sftp)
