"""A connector of somebody else's package: found by its name, like those of windlass, and named nowhere in it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from tests.conftest import Output
from tests.plugins.conftest import HERE

Windlass = Callable[..., Output]
Project = Callable[[dict[str, str]], Path]

PIPELINE = (
    "pipeline: p\ntasks:\n  load: {copy: {from: {path: in.csv}, to: {connection: kept, mode: append}}}\n"
)
FILES = {
    "windlass.yaml": "project: test\nconnections: {kept: {type: feather}}\n",
    "pipelines/p.yaml": PIPELINE,
    "in.csv": "id,name\n1,Ada\n2,Grace\n",
}


def test_it_passes_the_conformance_suite_in_the_tests_of_its_own_package(
    tmp_path: Path, feather: dict[str, str]
) -> None:
    tests = Path(shutil.copy(HERE / "feather" / "test_feather.py", tmp_path))
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error", str(tests)]
    done = subprocess.run(
        command, cwd=tmp_path, env={**os.environ, **feather}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
    passed, skipped = (int(re.findall(rf"(\d+) {word}", done.stdout)[-1]) for word in ("passed", "skipped"))
    assert passed > 40 > skipped, done.stdout


def test_it_is_an_end_of_a_copy_in_a_project(
    windlass: Windlass, project: Project, feather: dict[str, str]
) -> None:
    root = project(FILES)
    env = {**feather, "WINDLASS_CONN_KEPT": f"feather:///{root}/kept.feather"}
    assert windlass("-C", root, "validate", env=env).code == 0
    done = windlass("-C", root, "run", "p", "--json", env=env)
    assert (done.code, done.json["tasks"][0]["path"]) == (0, "arrow → feather"), done.stderr
    read = windlass("-C", root, "copy", env["WINDLASS_CONN_KEPT"], "out.csv", env=env)
    assert (read.code, (root / "out.csv").read_text()) == (0, FILES["in.csv"]), read.stderr
    assert (
        "ok  connector feather: windlass-feather 1.0, pyarrow "
        in windlass("-C", root, "doctor", env=env).stdout
    )
    assert '"feather"' in windlass("schema", "project", env=env).stdout


def test_its_keys_are_checked_like_those_of_others(
    windlass: Windlass, project: Project, feather: dict[str, str]
) -> None:
    root = project({**FILES, "pipelines/p.yaml": PIPELINE.replace("mode:", "table: t, mod:")})
    done = windlass("-C", root, "validate", env=feather)
    assert done.code == 2
    assert "unknown key 'table'" in done.stderr + done.stdout
    assert "did you mean 'mode'?" in done.stderr + done.stdout


def test_without_its_package_it_is_a_type_that_nobody_knows(windlass: Windlass, project: Project) -> None:
    done = windlass("-C", project(FILES), "validate")
    assert done.code == 2
    assert "feather" in done.stderr + done.stdout


TILLS = {
    "windlass.yaml": "project: test\nconnections: {till: {type: tills}}\n",
    "pipelines/p.yaml": "pipeline: p\ntasks:\n"
    "  load: {copy: {from: {connection: till, entity: sales}, to: {path: out.csv}}}\n",
    "till.json": '{"sales": [{"id": 1, "shop": "a"}, {"id": 2, "shop": "b"}, {"id": 3, "shop": "c"}]}',
}


def test_rows_are_named_by_the_key_that_it_declares(
    windlass: Windlass, project: Project, acme: dict[str, str]
) -> None:
    root = project(TILLS)
    address = f"tills:///{root}/till.json"
    env = {**acme, "WINDLASS_CONN_TILL": address}
    for source, ids in (("till:sales", [1, 2, 3]), (f"{address}?entity=sales&shops=a,c", [1, 3])):
        done = windlass("-C", root, "copy", source, root / "out.csv", env=env)
        lines = (root / "out.csv").read_text().splitlines()
        assert (done.code, [int(line[0]) for line in lines[1:]]) == (0, ids), done.stderr
    for source in ("till", address):
        done = windlass("-C", root, "copy", source, "out.csv", env=env)
        assert (done.code, "which rows?" in done.stderr) == (2, True)
        assert ("till:ENTITY" in done.stderr or "?entity=NAME" in done.stderr) is True
    done = windlass("-C", root, "copy", "out.csv", "till:sales", env=env)
    assert (done.code, "of type tills, which cannot be written by a copy" in done.stderr) == (2, True), (
        done.stderr
    )


def test_where_its_rows_have_no_names_none_is_taken(
    windlass: Windlass, project: Project, feather: dict[str, str]
) -> None:
    root = project(FILES)
    env = {**feather, "WINDLASS_CONN_KEPT": f"feather:///{root}/kept.feather"}
    done = windlass("-C", root, "copy", "kept:orders", "out.csv", env=env)
    assert (done.code, "rows of feather have no names" in done.stderr) == (2, True)


def test_a_dev_service_that_lacks_a_required_key_does_not_stand_in(
    windlass: Windlass, project: Project, acme: dict[str, str]
) -> None:
    root = project(TILLS)
    assert windlass("-C", root, "docs", env=acme).code == 0
    done = windlass("-C", root, "run", "p", env=acme)
    assert "connection 'till' is not configured, and no dev service can stand in" in done.stdout
    assert "`records`" in done.stdout
    project({"windlass.yaml": TILLS["windlass.yaml"].replace("tills}", "tills, dev: {records: till.json}}")})
    assert windlass("-C", root, "run", "p", env=acme).code == 0


def test_doctor_shows_what_packages_add_and_what_of_it_is_broken(
    windlass: Windlass, project: Project, acme: dict[str, str]
) -> None:
    done = windlass("doctor", env=acme)
    for line in ("connector tills", "target crontab", "runtime rehearsal"):
        assert f"ok  {line}: acme-windlass 1.0" in done.stdout
    (Path(acme["PYTHONPATH"]) / "acme_windlass" / "connector.py").write_text("import gone")
    done = windlass("doctor", env=acme)
    assert "!!  connector tills: the connector 'tills' cannot be loaded" in done.stdout
    assert "No module named 'gone'" in done.stdout
    assert "ok  extra files" in done.stdout
