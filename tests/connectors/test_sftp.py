"""Files of a server of SFTP as a source: which of them are read, who is let in, which server is the one that is meant."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.conftest import Output, plain_environment
from tests.connectors.sftp_server import SftpFolder
from tests.faults.proxy import Proxy
from windlass.connections import Address, parse_address
from windlass.connectors.stores.database import over_files
from windlass.connectors.stores.where import store_at, stored_path
from windlass.errors import FatalError, RetryableError
from windlass.storage.objects import ChangedError, Store
from windlass.testing import Copier, destination_of, source_of


@pytest.fixture
def server(sftp: SftpFolder, copier: Copier) -> SftpFolder:
    copier.addresses["drop"] = sftp.address
    return sftp


def ids(copier: Copier, path: str, **options: object) -> list[int]:
    """The ids of the rows that a copy finds there."""
    copier(source_of(connection="drop", path=path, **options), destination_of(path="found.ndjson"))
    lines = (copier.folder / "found.ndjson").read_text().splitlines()
    return sorted(json.loads(line)["id"] for line in lines)


def store_of(address: Address) -> Store:
    return store_at(address, "drop", "x").store


def test_a_file_a_folder_or_a_pattern_is_read_in_any_format(server: SftpFolder, copier: Copier) -> None:
    server.put("raw/a.csv", b"id,n\n1,x\n")
    server.put("raw/b.csv.gz", gzip.compress(b"id,n\n2,y\n"))
    server.put("raw/_hidden.csv", b"no rows")
    server.put("raw/.part/x.csv", b"no rows")
    server.put("raw/deep/c.csv", b"id,n\n3,z\n")
    server.put("raw/empty.csv", b"")
    server.put("other/d.ndjson", b'{"id": 4}\n')
    server.put("odd/\u00fc b+%20#?&.csv", b"id\n5\n")
    for day in (1, 2):
        table = pa.BufferOutputStream()
        pq.write_table(pa.table({"id": [10 * day]}), table)
        server.put(f"days/day={day}/x.parquet", table.getvalue().to_pybytes())
    assert ids(copier, "raw/a.csv") == [1]
    assert ids(copier, "raw/") == ids(copier, "raw") == [1, 2, 3]
    assert ids(copier, "raw/[ab].csv*") == [1, 2]
    assert ids(copier, "raw/**/[a-c].csv") == [1, 3]
    assert ids(copier, "*/[!_][!m]*.csv") == [5]
    assert ids(copier, "*/a.csv") == [1]
    assert ids(copier, "other/d.ndjson") == [4]
    assert ids(copier, "odd/\u00fc b+%20#?&.csv") == [5]
    assert ids(copier, "days/") == [10, 20]
    assert '"day":' in (copier.folder / "found.ndjson").read_text()
    for path, said in {
        "raw/aa.csv": "there is no object '.*raw/aa.csv'\n  hint: did you mean 'a.csv'",
        "none/": "has no objects",
        "none/*.csv": "no object matches",
        "raw/../x.csv": "cannot be the path of a file",
        "sftp://elsewhere/x.csv": "is not a path in a bucket",
    }.items():
        with pytest.raises(FatalError) as caught:
            ids(copier, path)
        assert caught.match(said)


def test_only_folders_that_a_pattern_may_lead_to_are_looked_into(
    server: SftpFolder, copier: Copier, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server has folders that nobody may read, and others with millions of files."""
    for key in ("in/1/a.csv", "in/2/a.csv", "in/2/deep/b.csv", "in/x.csv", "out/1/a.csv", "in/.old/a.csv"):
        server.put(key, b"id\n1\n")
    store: Any = store_of(server.address)
    entries: Callable[[str], object] = store._entries
    seen: list[str] = []

    def note(folder: str) -> object:
        seen.append(folder)
        return entries(folder)

    monkeypatch.setattr(store, "_entries", note)
    monkeypatch.setattr("windlass.connectors.stores.where._open", lambda *_: store)
    base = f"{server.folder}/".lstrip("/")
    for pattern, folders in {
        "in/*.csv": ["in/"],
        "in/*/*.csv": ["in/", "in/1/", "in/2/"],
        "in/[2-9]/**/*.csv": ["in/", "in/2/", "in/2/deep/"],
        "in/": ["in/", "in/1/", "in/2/", "in/2/deep/"],
        "*.csv": [""],
    }.items():
        seen.clear()
        try:
            ids(copier, pattern)
        except FatalError as exc:
            assert "no object matches" in exc.message  # noqa: PT017 - of the last
        assert seen == [base + folder for folder in folders], pattern


def test_a_link_to_a_file_is_a_file_and_one_to_a_folder_is_not_followed(
    server: SftpFolder, copier: Copier
) -> None:
    server.put("a/one.csv", b"id\n1\n")
    (server.folder / "a" / "two.csv").symlink_to(server.folder / "a" / "one.csv")
    (server.folder / "a" / "gone.csv").symlink_to(server.folder / "nowhere")
    (server.folder / "a" / "circle").symlink_to(server.folder / "a")
    os.mkfifo(server.folder / "a" / "pipe.csv")
    (server.folder / "latest").symlink_to(server.folder / "a")
    assert ids(copier, "a/") == [1, 1]
    assert ids(copier, "latest/*.csv") == [1, 1]


def test_a_bad_row_is_known_by_its_file_and_line(server: SftpFolder, copier: Copier) -> None:
    server.put("a.csv", b"id,n\n1,1\n")
    server.put("b.csv", b"id,n\n2,2\nx,3\n")
    copier(
        source_of(connection="drop", path="*.csv", columns={"id": "bigint"}),
        destination_of(path="out.csv"),
        on_bad_row="quarantine",
    )
    assert [(row["source"], row["line"]) for row in copier.quarantined] == [("b.csv", 3)]


@pytest.mark.parametrize("how", ["grows", "shrinks", "is another", "is gone"])
def test_a_file_that_changes_while_it_is_read_is_an_error(how: str, server: SftpFolder) -> None:
    """Also after its first bytes have come."""
    server.put("a.csv", os.urandom(12 << 20))
    store, key = store_of(server.address), f"{server.folder}/a.csv".lstrip("/")
    file = server.folder / "a.csv"
    found = store.look(key)
    assert found is not None
    pieces = store.read(found)
    next(pieces)
    if how == "grows":
        with file.open("ab") as out:
            out.write(b"x")
    elif how == "shrinks":
        os.truncate(file, 5 << 20)
    elif how == "is another":
        os.utime(file, (1, 1))
    else:
        file.unlink()
        pieces = store.read(found)
    with pytest.raises(ChangedError, match=r"a\.csv (was changed while it was read|is not there any more)"):
        list(pieces)
    server.put("a.csv", b"as good as new")
    again = store.look(key)
    assert again is not None
    assert b"".join(store.read(again)) == b"as good as new"


def test_ranges_are_just_those_bytes(server: SftpFolder) -> None:
    data = os.urandom((9 << 20) + 17)
    server.put("a", data)
    store = store_of(server.address)
    found = store.look(f"{server.folder}/a".lstrip("/"))
    assert found is not None
    assert b"".join(store.read(found)) == data
    for begin, end in ((0, 0), (0, 1), (5, 40_000), (4 << 20, (8 << 20) + 1), (len(data) - 3, len(data))):
        assert b"".join(store.read(found, begin, end)) == data[begin:end]


def test_a_large_file_is_brought_in_a_memory_that_does_not_grow(server: SftpFolder) -> None:
    server.put("large", b"")
    os.truncate(server.folder / "large", 600 << 20)
    script = (
        "import sys; from pathlib import Path\n"
        "from windlass.connections import parse_address; from windlass.connectors.stores.where import store_at\n"
        "from windlass.connectors.stores.fetching import fetch\n"
        "where = store_at(parse_address(sys.argv[1], 'x', 'sftp'), 'x', 'large')\n"
        "fetch(where.store, [(where.store.look(where.key), Path(sys.argv[2]))])\n"
        "print(Path('/proc/self/status').read_text().partition('VmHWM:')[2].split()[0])"
    )
    out = server.folder / "out"
    done = subprocess.run(
        [sys.executable, "-c", script, server.address.uri(), out], check=True, capture_output=True, text=True
    )
    assert out.stat().st_size == 600 << 20
    assert int(done.stdout) < 250_000


def test_a_server_that_nobody_knows_is_refused_and_its_key_is_told(
    server: SftpFolder, tmp_path: Path
) -> None:
    at, files = server.server, server.server.folder
    unknown = at.address(server.folder, fingerprint="", known_hosts=str(tmp_path / "none"))
    (tmp_path / "none").write_text("")
    with pytest.raises(FatalError, match="nobody has said which key") as caught:
        store_of(unknown).look("x")
    assert caught.match(f"fingerprint={at.fingerprint}".replace("+", r"\+"))
    other = at.address(server.folder, fingerprint="SHA256:" + "A" * 43)
    with pytest.raises(FatalError, match=r"and SHA256:AAAA.* is expected"):
        store_of(other).look("x")
    unlike = at.address(server.folder, fingerprint="", known_hosts=str(files / "unlike"))
    with pytest.raises(FatalError, match="its key is not the one in known_hosts"):
        store_of(unlike).look("x")
    key = (files / "host.pub").read_text()
    for said in (
        {"known_hosts": str(files / "known")},
        {"host_key": key},
        {"host_key": key.split()[1]},
        {"fingerprint": at.fingerprint.removeprefix("SHA256:")},
    ):
        address = parse_address(at.address(server.folder, **{"fingerprint": "", **said}).uri(), "x", "sftp")
        assert store_of(address).look("nothing") is None, said
    with pytest.raises(FatalError, match="host_key that is not base64"):
        store_of(at.address(fingerprint="", host_key="?")).look("x")


def test_who_asks_is_as_the_address_says(server: SftpFolder) -> None:
    at, files = server.server, server.server.folder
    own, locked = (files / "own").read_text(), (files / "locked").read_text()
    for said in (
        {"key_file": "", "private_key": own},
        {"key_file": "", "private_key": locked, "private_key_passphrase": "secret"},
        {"key_file": str(files / "locked"), "private_key_passphrase": "secret"},
    ):
        address = parse_address(at.address(**said).uri(), "x", "sftp")
        assert store_of(address).look("nothing") is None, said
        assert "secret" not in str(address)
        assert "PRIVATE" not in str(address)
    for said, why in (
        ({"key_file": str(files / "other")}, "Authentication failed"),
        ({"key_file": str(files / "none")}, "key_file: there is no file"),
        ({"key_file": "", "private_key": locked}, "private_key has a passphrase"),
        ({"key_file": "", "private_key": "abc"}, "private_key cannot be read"),
        ({"sessions": "many"}, "expected a number from 1 to 64"),
    ):
        with pytest.raises(FatalError, match=why):
            store_of(at.address(**said)).look("nothing")
    wrong = replace(at.address(key_file=""), password="not-the-password")
    with pytest.raises(FatalError, match=r"Authentication failed|Bad authentication type") as caught:
        store_of(wrong).look("nothing")
    assert "not-the-password" not in str(caught.value)


def test_one_session_is_enough(server: SftpFolder, copier: Copier) -> None:
    for number in range(20):
        server.put(f"in/{number}.csv", f"id\n{number}\n".encode())
    copier.addresses["drop"] = server.server.address(server.folder, sessions="1")
    assert ids(copier, "in/*.csv") == list(range(20))


def test_a_server_that_is_not_there_may_be_later(server: SftpFolder) -> None:
    with pytest.raises(RetryableError, match=r"sftp://.*127\.0\.0\.1:1: "):
        store_of(replace(server.address, port=1)).look("x")
    with pytest.raises(RetryableError, match=r"no-such-host\.invalid"):
        store_of(replace(server.address, host="no-such-host.invalid")).look("x")


def test_a_lost_connection_is_made_again(server: SftpFolder) -> None:
    server.put("a.csv", os.urandom(6 << 20))
    passed = 0

    def watch(piece: bytes, to_server: bool) -> bool:
        nonlocal passed
        passed += 0 if to_server else len(piece)
        return passed > 3 << 20

    at = server.server
    with Proxy(f"tcp://127.0.0.1:{at.port}", "reset", watch) as proxy:
        store = store_of(replace(server.address, port=proxy.port))
        found = store.look(f"{server.folder}/a.csv".lstrip("/"))
        assert found is not None
        with pytest.raises(RetryableError):
            list(store.read(found))
        passed = -(1 << 30)
        assert b"".join(store.read(found)) == (server.folder / "a.csv").read_bytes()


def test_a_folder_that_may_not_be_read_is_an_error(
    server: SftpFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever has its files would else be told that all is there."""
    import paramiko

    server.put("in/a.csv", b"id\n1\n")
    server.put("in/locked/b.csv", b"id\n2\n")
    lists = paramiko.SFTPClient.listdir_attr

    def refuse(self: paramiko.SFTPClient, path: str = ".") -> object:
        if path.endswith("locked/"):  # root, as whom tests may run, reads everything
            raise PermissionError(13, "Permission denied")
        return lists(self, path)

    monkeypatch.setattr(paramiko.SFTPClient, "listdir_attr", refuse)
    store = store_of(server.address)
    with pytest.raises(FatalError, match="in/locked/ cannot be read: Permission denied"):
        list(store.list(f"{server.folder}/in/".lstrip("/")))


def test_a_path_needs_no_connection(
    server: SftpFolder, tmp_path: Path, windlass: Callable[..., Output], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The environment says who asks, and which servers are known."""
    home = tmp_path / "home"
    (home / ".ssh").mkdir(parents=True)
    files = server.server.folder
    (home / ".ssh" / "id_ed25519").write_text((files / "own").read_text())
    (home / ".ssh" / "known_hosts").write_text((files / "known").read_text())
    server.put("a b.csv", b"id\n1\n2\n")
    environment = {"HOME": str(home)}
    done = windlass("copy", server.path("*.csv"), "out.csv", cwd=tmp_path, env=environment)
    assert done.code == 0, done
    assert (tmp_path / "out.csv").read_text() == "id\n1\n2\n"
    monkeypatch.setenv("HOME", str(home))
    query = f"SELECT sum(id) FROM '{server.path('a b.csv')}'"
    with closing(over_files(query, ".", None)) as database:
        assert database.query(query).rows == ((3,),)
    done = windlass("copy", "out.csv", server.path("x.csv"), cwd=tmp_path, env=environment)
    assert done.code != 0
    assert "sftp:// can only be read" in done.stderr
    with pytest.raises(FatalError, match="has a password in it"):
        stored_path("sftp://me:secret@host/x.csv")


def test_what_would_be_written_is_refused_before_anything_runs(
    tmp_path: Path, windlass: Callable[..., Output]
) -> None:
    copy = "pipeline: {0}\ntasks: {{t: {{copy: {{from: {1}, to: {2}{3}}}}}}}\n"
    cases = {
        "path": ("{path: a.csv}", "{path: 'sftp://host/b.csv'}", "", "sftp:// can only be read"),
        "named": ("{path: a.csv}", "{connection: drop, path: b.csv}", "", "cannot be written by a copy"),
        "quarantine": (
            "{path: a.csv}",
            "{path: b.csv}",
            ", on_bad_row: quarantine, quarantine: {connection: drop, path: bad.ndjson}",
            "no bucket that files are put into",
        ),
        "bad": (
            "{path: a.csv}",
            "{path: b.csv}",
            ", on_bad_row: quarantine, quarantine: {path: 'sftp://host/bad.ndjson'}",
            "sftp:// can only be read",
        ),
    }
    (tmp_path / "pipelines").mkdir()
    (tmp_path / "windlass.yaml").write_text("project: t\nconnections: {drop: {type: sftp}}\n")
    for name, (source, to, more, said) in cases.items():
        (tmp_path / "pipelines" / "p.yaml").write_text(copy.format("p", source, to, more))
        done = windlass("validate", cwd=tmp_path)
        assert done.code != 0, name
        assert said in done.stdout + done.stderr, (name, done)
    (tmp_path / "pipelines" / "p.yaml").write_text(
        "pipeline: p\ntasks: {t: {download: {url: 'https://host/x', to: 'sftp://host/x'}}}\n"
    )
    done = windlass("validate", cwd=tmp_path)
    assert "sftp:// can only be read" in done.stdout + done.stderr, done
    (tmp_path / "pipelines" / "p.yaml").write_text(copy.format("p", "{path: a.csv}", "{path: b.csv}", ""))
    done = windlass("export", "cron", "--out", "sftp://host/x", cwd=tmp_path)
    assert "sftp:// can only be read" in done.stdout + done.stderr, done


def test_a_url_of_the_project_has_no_password(tmp_path: Path, windlass: Callable[..., Output]) -> None:
    (tmp_path / "pipelines").mkdir()
    for url, said in {
        "sftp://me@host/drop?fingerprint=SHA256:abc": "",
        "sftp://me:{{x}}@host/drop": "`url` has no password",
        "host/drop": "`url` is the address of a server",
    }.items():
        (tmp_path / "windlass.yaml").write_text(
            f"project: t\nconnections: {{drop: {{type: sftp, url: '{url}'}}}}\n"
        )
        done = windlass("validate", cwd=tmp_path)
        assert said in done.stdout + done.stderr, done
        assert (done.code == 0) is (said == ""), done


def test_a_connection_is_tried_by_a_look_into_its_folder(
    server: SftpFolder, tmp_path: Path, windlass: Callable[..., Output]
) -> None:
    (tmp_path / "windlass.yaml").write_text("project: t\nconnections: {drop: {type: sftp}}\n")
    server.put("in/ä.csv", b"x")
    done = windlass("connections", "test", cwd=tmp_path, env={"WINDLASS_CONN_DROP": server.address.uri()})
    assert done.stdout == f"drop: connected, the first object is {str(server.folder)[1:]}/in/ä.csv\n", done


def test_a_folder_stands_in_for_a_server(tmp_path: Path, windlass: Callable[..., Output]) -> None:
    files = {
        "windlass.yaml": "project: t\nconnections: {drop: {type: sftp, dev: {objects: data}}}\n",
        "data/in/a.csv": "id\n1\n2\n",
        "pipelines/p.yaml": "pipeline: p\ntasks: {a: {copy: {from: {connection: drop, path: 'in/*.csv'}, to: {path: out.csv}}}}\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    done = windlass("run", "p", cwd=tmp_path)
    assert done.code == 0, done
    assert (tmp_path / "out.csv").read_text() == "id\n1\n2\n"


def test_a_copy_that_is_killed_is_done_again(server: SftpFolder, tmp_path: Path) -> None:
    """Whether stopped by a signal while the server is silent, or killed: what was there stays, and each row comes once."""
    server.put("in.csv", b"id,name\n" + b"".join(b"%d,%s\n" % (n, b"x" * 150) for n in range(20_000)))
    (tmp_path / "pipelines").mkdir()
    (tmp_path / "windlass.yaml").write_text("project: t\nconnections: {drop: {type: sftp}}\n")
    (tmp_path / "pipelines" / "p.yaml").write_text(
        "pipeline: p\ntasks: {t: {copy: {from: {connection: drop, path: in.csv}, to: {path: out.csv}}}}\n"
    )
    (tmp_path / "out.csv").write_text("what was there\n")
    command = [sys.executable, "-m", "windlass", "-C", str(tmp_path), "exec", "p", "t"]

    def start(address: Address) -> subprocess.Popen[str]:
        environment = {
            **plain_environment(),
            "WINDLASS_CONN_DROP": address.uri(),
            "WINDLASS_RUN_ID": "scheduled",
            "TMPDIR": str(tmp_path),
        }
        return subprocess.Popen(
            command, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )

    for signal in (15, 9):
        passed = 0

        def watch(piece: bytes, to_server: bool) -> bool:
            nonlocal passed
            passed += 0 if to_server else len(piece)
            return passed > 500_000

        with Proxy(f"tcp://127.0.0.1:{server.server.port}", "silence", watch, everything=True) as proxy:
            process = start(replace(server.address, port=proxy.port))
            assert proxy.was_cut.wait(60), process.communicate(timeout=60)
            process.send_signal(signal)
            said = process.communicate(timeout=60)[0]
        assert process.returncode == (143 if signal == 15 else -9), said
        assert (tmp_path / "out.csv").read_text() == "what was there\n"
    process = start(server.address)
    said = process.communicate(timeout=60)[0]
    assert process.returncode == 0, said
    assert (tmp_path / "out.csv").read_bytes() == server.get("in.csv")
    left = sorted(each.name for each in tmp_path.iterdir() if not each.name.startswith("."))
    assert left == ["out.csv", "pipelines", "served", "windlass.yaml"]
