"""What an image is made of: any change of that is seen, nothing else is, and it is told in words."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from windlass.errors import FatalError
from windlass.images.bake import EPOCH, Build, laid_out
from windlass.images.generating import NOT_READ
from windlass.images.ignoring import NEVER_SENT, files_of, patterns_of
from windlass.images.image import Image, images_of
from windlass.images.inputs import Inputs, Reader, changes, part_changes
from windlass.plan.compiler import compile_project
from windlass.spec import load_project
from windlass.spec.project import Images

FILES = {
    "steps/weather/Dockerfile": "ARG V=3.12\nFROM python:${V}-slim\nCOPY . .\n",
    "steps/weather/.dockerignore": "# notes\n*.txt\n!keep.txt\n",
    "steps/weather/main.py": "1",
    "steps/weather/sub/deep.py": "2",
    "steps/weather/keep.txt": "3",
    "steps/quotes/requirements.txt": "httpx==0.28.1\n",
    "steps/quotes/main.py": "4",
    "steps/feed/package.json": '{"dependencies": {"axios": "1"}}',
    "steps/feed/package-lock.json": "{}",
    "steps/feed/main.js": "5",
    "libraries/etl/__init__.py": "",
    "libraries/etl/postgres.py": "6",
    "libraries/influx/index.js": "7",
}
USERS = {
    "libraries/etl": {"weather", "quotes"},
    "libraries/influx": {"feed"},
    **{f"steps/{name}": {name} for name in ("weather", "quotes", "feed")},
}
IMAGES = {
    "weather": Image("steps/weather", "steps/weather", "Dockerfile", libraries=(("etl", "libraries/etl"),)),
    "quotes": Image(
        "steps/quotes", "steps/quotes", "Dockerfile", "python", libraries=(("etl", "libraries/etl"),)
    ),
    "feed": Image(
        "steps/feed", "steps/feed", "Dockerfile", "node", libraries=(("influx", "libraries/influx"),)
    ),
}
NOT_SEEN = ("weather/notes.txt", "quotes/.env", "quotes/__pycache__/main.pyc", "feed/node_modules/a/index.js")
SEEN = sorted(name for name in FILES if not name.endswith(".dockerignore"))


@contextmanager
def dashboard() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        for path, text in FILES.items():
            put(Path(name) / path, text)
        yield Path(name)


def put(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def read(project: Path, said: Images | None = None, bases: dict[str, str] | None = None) -> dict[str, Inputs]:
    reader = Reader(project, said, bases or {})
    return {name: reader.of(image) for name, image in IMAGES.items()}


def changed(before: dict[str, Inputs], after: dict[str, Inputs]) -> set[str]:
    return {name for name in before if before[name].digest != after[name].digest}


def write_more(file: Path) -> None:
    file.write_text(f"{file.read_text()} \n")


def make_a_program(file: Path) -> None:
    file.chmod(0o755)


def make_a_link(file: Path) -> None:
    file.unlink()
    file.symlink_to("elsewhere")


def add_beside(file: Path) -> None:
    put(file.with_name("added.py"), "")


@given(st.sampled_from(SEEN), st.sampled_from([write_more, make_a_program, make_a_link, add_beside]))
def test_a_change_of_a_file_changes_every_image_that_it_is_in_and_no_other(
    name: str, change: Callable[[Path], None]
) -> None:
    if change is make_a_link and name.endswith(("Dockerfile", ".json")):
        change = write_more  # a step whose Dockerfile or manifest leads nowhere is another step
    folder = next(folder for folder in USERS if name.startswith(f"{folder}/"))
    with dashboard() as project:
        before = read(project)
        change(project / name)
        assert changed(before, read(project)) == USERS[folder]


@given(st.sampled_from(SEEN), st.integers(0, 2_000_000_000), st.sampled_from([0o600, 0o664, 0o444]))
def test_neither_times_nor_places_nor_what_no_checkout_has_change_an_image(
    name: str, time: int, mode: int
) -> None:
    with dashboard() as project, tempfile.TemporaryDirectory() as other:
        before = read(project)
        for junk in NOT_SEEN:
            put(project / "steps" / junk, "junk")
        put(project / "libraries/etl/__pycache__/postgres.pyc", "junk")
        put(project / "windlass.lock", "of windlass itself")
        (project / "libraries/etl/empty").mkdir()
        (project / name).chmod(mode)
        os.utime(project / name, (time, time))
        shutil.copytree(project, Path(other) / "elsewhere")
        assert changed(before, read(project)) == set()
        assert changed(before, read(Path(other) / "elsewhere")) == set()


def test_every_setting_is_a_part_of_it_and_a_digest_of_a_base_only_of_what_is_based_on_it() -> None:
    with dashboard() as project:
        before, reader = read(project), Reader(project, None, {})
        weather = IMAGES["weather"]
        others = [
            replace(weather, target="x"),
            replace(weather, args=(("V", "3.13"),)),
            replace(weather, platform="linux/arm64"),
            replace(weather, libraries=()),
            replace(weather, libraries=(("etl2", "libraries/etl"),)),
        ]
        found = {before["weather"].digest, *(reader.of(image).digest for image in others)}
        assert len(found) == 1 + len(others)
        assert changed(before, read(project, Images(platforms=["linux/amd64", "linux/arm64"]))) == set(IMAGES)
        assert changed(before, read(project, Images(platforms=["linux/amd64"]))) == set()
        assert changed(before, read(project, Images(node="node:24-slim"))) == {"feed"}
        assert changed(before, read(project, bases={"node:22-slim": "sha256:1", "other": "sha256:2"})) == {
            "feed"
        }
        # that of a Dockerfile is found behind its argument
        assert reader.bases_of(weather) == ["python:3.12-slim"]
        assert reader.bases_of(others[1]) == ["python:3.13-slim"]


def test_what_changed_is_told_by_files_and_where_those_are_not_known_by_folders() -> None:
    with dashboard() as project:
        before = read(project)["quotes"]
        write_more(project / "libraries/etl/postgres.py")
        put(project / "steps/quotes/new.py", "")
        (project / "libraries/etl/__init__.py").unlink()
        after = read(project, bases={"python:3.12-slim": "sha256:1"})["quotes"]
        old, new = ({**inputs.files, **inputs.settings} for inputs in (before, after))
        assert list(changes(old, new, after.settings)) == [
            "libraries/etl/__init__.py removed",
            "libraries/etl/postgres.py changed",
            "steps/quotes/new.py added",
            "base python:3.12-slim added",
        ]
        assert part_changes(before.parts, after) == [
            "libraries/etl changed",
            "steps/quotes changed",
            "base python:3.12-slim added",
        ]


def test_a_builder_is_given_what_the_digest_is_of_and_nothing_else() -> None:
    with dashboard() as project, tempfile.TemporaryDirectory() as name:
        for junk in NOT_SEEN:
            put(project / "steps" / junk, "secret")
        (project / "steps/quotes/run.sh").symlink_to("main.py")
        make_a_program(project / "steps/quotes/main.py")
        inputs = read(project)
        builds = [Build(name, f"shop-{name}", inputs[name]) for name in ("quotes", "weather")]
        into = Path(name) / "tree"
        laid_out(builds, project, into)
        given = {str(path.relative_to(into)): path for path in into.rglob("*") if not path.is_dir()}
        wanted = {*inputs["quotes"].files, *inputs["weather"].files}
        assert given.keys() == wanted
        assert {path.lstat().st_mtime for path in into.rglob("*") if path.is_dir()} == {EPOCH}
        modes = {(path.stat().st_mode & 0o777) for path in given.values()}
        assert modes == {0o644, 0o755}
        assert (into / "steps/quotes/run.sh").readlink() == Path("main.py")
        # a builder takes what has the size and the time of the last time for the same
        times = [into / "libraries/etl/postgres.py", into / "steps/quotes/main.py"]
        assert len({path.stat().st_mtime_ns for path in times}) == 2
        again = Path(name) / "again"
        laid_out(builds, project, again)
        assert {p.lstat().st_mtime_ns for p in again.rglob("*")} == {
            p.lstat().st_mtime_ns for p in into.rglob("*")
        }


def test_a_folder_that_is_not_there_or_outside_is_refused() -> None:
    with dashboard() as project:
        reader = Reader(project, None, {})
        for folder, why in (("steps/none", "there is no folder"), ("..", "outside the project")):
            with pytest.raises(FatalError, match=why):
                reader.of(replace(IMAGES["weather"], libraries=(("x", folder),)))
        with pytest.raises(FatalError, match="Dockerfle"):  # one that is named is never generated
            reader.of(replace(IMAGES["quotes"], dockerfile="Dockerfle"))
        with pytest.raises(FatalError, match="nothing says whether"):
            reader.of(Image("libraries", "libraries", "Dockerfile", "sh"))


IGNORED = """
# a comment
*.txt
!keep.txt
/only/here
**/log
a/**/z
**/*.tmp
!important.tmp
docs
!docs/*.md
"""


@given(
    st.lists(
        st.lists(
            st.sampled_from(
                [
                    "a",
                    "b",
                    "z",
                    "log",
                    "only",
                    "here",
                    "docs",
                    "keep.txt",
                    "x.txt",
                    "important.tmp",
                    "y.tmp",
                    "r.md",
                ]
            ),
            min_size=1,
            max_size=4,
        ).map("/".join),
        max_size=8,
    )
)
def test_files_are_left_out_as_docker_itself_leaves_them_out(paths: list[str]) -> None:
    from docker.utils.build import exclude_paths

    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        for path in paths:
            if not any(parent.is_file() for parent in (root / path).parents) and not (root / path).is_dir():
                put(root / path, "")
        ours = list(files_of(root, patterns_of(IGNORED.splitlines())))
        patterns = [*NEVER_SENT, *(line for line in IGNORED.splitlines() if line and line[0] != "#")]
        theirs = {path for path in exclude_paths(name, patterns, "") if (root / path).is_file()}
        assert ours == sorted(ours, key=lambda path: path.split("/"))
        assert set(ours) == theirs


def test_the_images_of_a_project_are_told_apart_by_what_they_are_made_of(
    project: Callable[..., Path],
) -> None:
    root = project(
        {
            "windlass.yaml": "project: shop\nlibraries: {etl: libraries/etl}\n",
            "libraries/etl/__init__.py": "",
            "steps/api/Dockerfile": "FROM a\n",
            "steps/api/slim/Dockerfile": "FROM a\n",
            "pipelines/p.yaml": """
pipeline: p
tasks:
  a: {run: {build: steps/api, command: [python, a.py]}}
  b: {run: {build: steps/api, command: [node, b.js], runtime: docker}}
  c: {run: {build: {context: steps/api, target: small}}}
  d: {run: {build: steps/api, libraries: [etl]}}
  e: {run: {build: {context: steps/api, dockerfile: slim/Dockerfile}}}
  f: {run: {build: python/api, command: [python, f.py]}}
  g: {run: {build: python/api, command: [node, f.js]}}
  h: {run: {image: "acme/x:1"}}
  i: {copy: {from: {path: a.csv}, to: {path: b.csv}}}
""",
            "pipelines/q.yaml": "pipeline: q\ntasks: {a: {run: {build: steps/api}}}\n",
        }
    )
    files = load_project(root)
    found = images_of(compile_project(files), files)
    names = {re.sub("-[0-9a-f]{6}$", "-", wanted.name) for wanted in found}
    assert names == {"api-", "api-small", "api-slim", "python-api-"}
    assert len({wanted.name for wanted in found}) == len(found) == 6
    plain = next(
        w for w in found if not w.image.libraries and w.image.folder == "steps/api" and not w.image.target
    )
    assert plain.pipelines == ("p", "q")


def test_a_dockerignore_in_any_encoding_leaves_out_the_names_it_has(tmp_path: Path) -> None:
    (tmp_path / "step").mkdir()
    for name in (b"caf\xe9", b"tea", b".dockerignore"):
        Path(os.fsdecode(os.fsencode(tmp_path / "step") + b"/" + name)).write_bytes(b"caf\xe9\n")
    (tmp_path / "step" / "Dockerfile").write_text("FROM python:3.12-slim\n")
    found = Reader(tmp_path, Images(), {}).of(Image("step", "step", "Dockerfile"))
    assert sorted(found.files) == ["step/.dockerignore", "step/Dockerfile", "step/tea"]


@pytest.mark.parametrize("bom", [b"\xef\xbb\xbf", b""])
def test_a_project_file_with_a_byte_order_mark_asks_for_its_packages(tmp_path: Path, bom: bytes) -> None:
    put(tmp_path / "step" / "pyproject.toml", "")
    (tmp_path / "step" / "pyproject.toml").write_bytes(bom + b'[project]\nname = "caf\xe9"\n')
    found = Reader(tmp_path, Images(), {}).of(Image("step", "step", "Dockerfile", "python"))
    assert "uv pip install --python /venv/bin/python -e ." in found.dockerfile


@pytest.mark.parametrize(
    ("files", "program", "told"),
    [
        ({"package.json": '{"dependencies": {"a": "1"}}', "yarn.lock": ""}, "node", "yarn.lock"),
        ({"package.json": '{"dependencies": {"a": "1"}}', "pnpm-lock.yaml": ""}, "node", "pnpm-lock.yaml"),
        ({"package.json": "{}", "yarn.lock": ""}, "node", None),
        (
            {"package.json": '{"dependencies": {"a": "1"}}', "yarn.lock": "", "package-lock.json": "{}"},
            "node",
            None,
        ),
        ({"pyproject.toml": "[project]", "poetry.lock": ""}, "python", "poetry.lock"),
        ({"pyproject.toml": "[project]", "poetry.lock": "", "uv.lock": ""}, "python", None),
        ({"requirements.txt": "", "Pipfile.lock": ""}, "python", None),
        ({"Pipfile.lock": ""}, "python", "Pipfile.lock"),
    ],
)
def test_a_lock_file_that_nothing_reads_is_told(
    files: dict[str, str], program: str, told: str | None, tmp_path: Path
) -> None:
    for name, text in files.items():
        put(tmp_path / "step" / name, text)
    text = Reader(tmp_path, Images(), {}).of(Image("step", "step", "Dockerfile", program)).dockerfile
    assert [line.split(":")[1].strip() for line in text.splitlines() if line.startswith(NOT_READ)] == (
        [told] if told else []
    )
