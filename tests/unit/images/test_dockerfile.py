"""Dockerfiles: read as far as it takes, completed, and generated where a step has none."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from windlass.errors import Code, FatalError
from windlass.images.bake import Build, bake_file
from windlass.images.dockerfile import bases, with_bases, with_libraries, with_library_stages
from windlass.images.generating import generated
from windlass.images.image import Image
from windlass.images.inputs import Reader
from windlass.images.lock import Lock, Pushed
from windlass.images.packages import secrets_of
from windlass.spec.project import Images

Project = Callable[..., Path]

WHOLE = """\
# FROM a-comment
ARG TAG=3.12-slim
ARG ALSO=${TAG:-x}
FROM --platform=$BUILDPLATFORM python:$TAG AS build
RUN cat <<EOF > query.sql
SELECT *
FROM orders
EOF
COPY --from=ghcr.io/acme/tools:1 /bin/x /bin/
COPY --from=build /a /b
RUN --mount=type=bind,from=busybox:1,target=/b \\
    # a comment within
    true
FROM build AS middle
FROM python:${ALSO}
COPY --from=library-etl . /elsewhere
FROM ${UNKNOWN}
FROM scratch
"""


def test_the_bases_of_a_dockerfile_are_found_and_pinned() -> None:
    found = bases(WHOLE, {})
    assert found == ["python:3.12-slim", "ghcr.io/acme/tools:1", "busybox:1"]
    assert bases(WHOLE, {"TAG": "3.13", "UNKNOWN": "x"}) == ["python:3.13", *found[1:]]
    pinned = with_bases(WHOLE, {}, {"python:3.12-slim": "sha256:1", "orders": "sha256:2"})
    assert "FROM --platform=$BUILDPLATFORM python:3.12-slim@sha256:1 AS build\n" in pinned
    assert "\nFROM orders\n" in pinned
    assert "\nFROM python:3.12-slim@sha256:1\n" in pinned
    assert len(pinned.splitlines()) == len(WHOLE.splitlines())


def test_libraries_are_copied_into_the_stage_that_is_built_unless_it_copies_them_itself() -> None:
    assert with_libraries(WHOLE, ["etl"], None) == (WHOLE, None)
    text, target = with_libraries("FROM a", ["etl", "influx"], None)
    assert text.splitlines()[:3] == ["FROM a", "", "COPY --from=library-etl . /libraries/etl"]
    assert target is None
    assert "COPY --from=library-influx . /libraries/influx\n" in text
    assert "ENV PYTHONPATH=/libraries${PYTHONPATH:+:$PYTHONPATH}" in text
    text, target = with_libraries("FROM a AS one\nFROM b\n", ["etl"], "one")
    assert target == "one-with-libraries"
    assert "\nFROM one AS one-with-libraries\nCOPY" in text
    # what stands behind it is not built, by whichever builder
    assert [line for line in text.splitlines() if line.startswith("FROM")] == [
        "FROM a AS one", "FROM one AS one-with-libraries", "FROM b"
    ]  # fmt: skip
    for target in ("LAST", "there-is-none"):
        text, _ = with_libraries("FROM a\nFROM b AS last\n", ["etl"], target)
        assert text.splitlines()[:4] == [
            "FROM a",
            "FROM b AS last",
            "",
            f"FROM {target} AS {target}-with-libraries",
        ]
    staged = with_library_stages(WHOLE, {"etl": "windlass/library:in-1"}).splitlines()
    assert staged[3] == "FROM windlass/library:in-1 AS library-etl"
    assert staged[4].startswith("FROM --platform")


STEPS = {
    "locked": {"requirements.txt": "httpx==0.28.1 --hash=sha256:0\n# -r other.txt\nrich\n"},
    "local": {"requirements.txt": "-r base.txt\n", "base.txt": "httpx\n"},
    "project": {"pyproject.toml": "[project]\nname = 'a'\n", "uv.lock": ""},
    "tools": {"pyproject.toml": "[tool.ruff]\n", "main.py": ""},
    "node": {"package.json": '{"dependencies": {"a": "1"}}', "package-lock.json": "{}"},
    "typed": {"package.json": '{"devDependencies": {"typescript": "5"}}', "tsconfig.json": "{}"},
    "plain": {"main.js": ""},
}
PROGRAMS = {"plain": "node", "tools": "python3.13"}


def test_a_dockerfile_is_generated_for_what_the_folder_asks_for(project: Project) -> None:
    files = {f"steps/{step}/{name}": text for step, made in STEPS.items() for name, text in made.items()}
    root = project(files)

    def made(step: str, *libraries: str) -> str:
        folder = f"steps/{step}"
        image = Image(
            folder, folder, "Dockerfile", PROGRAMS.get(step, ""), libraries=tuple((n, n) for n in libraries)
        )
        return generated(image, root, Images())

    texts = {step: made(step) for step in STEPS}
    assert all(text.rstrip().endswith("USER 1000:1000") for text in texts.values())
    assert all(
        text.count("FROM ") == (1 if step in ("tools", "plain") else 2) for step, text in texts.items()
    )
    order = ["COPY requirements.txt ./", "uv pip install", "FROM python:3.12-slim\n", "COPY . ."]
    places = [texts["locked"].index(part, texts["locked"].index("uv>=")) for part in order]
    assert places == sorted(places)
    assert "COPY requirements.txt" not in texts["local"]
    assert texts["project"].index("--no-install-project") < texts["project"].index("COPY . .")
    assert "FROM python:3.13-slim" in texts["tools"]
    assert "npm ci --omit=dev" in texts["node"]
    assert "COPY package.json package-lock.json ./" in texts["node"]
    assert "npm install --no-package-lock --no-audit" in texts["typed"]
    assert "npx --no-install tsc && npm prune --omit=dev" in texts["typed"]
    assert "PYTHONPATH=/libraries" in made("locked", "etl")
    assert "NODE_PATH=/libraries:/app/node_modules" in made("plain", "etl")
    assert "COPY --from=library-etl . /libraries/etl" in made("typed", "etl")


def test_bake_is_told_of_folders_digests_and_of_nothing_to_fill_in(project: Project) -> None:
    root = project(
        {
            "steps/a/Dockerfile": "FROM x:1 AS t\nENV A=${B:-c}\n",
            "libraries/etl/e.py": "",
            "steps/b/main.py": "",
        }
    )
    reader = Reader(root, Images(platforms=["linux/amd64", "linux/arm64"]), {"x:1": "sha256:5"})
    own = Image("steps/a", "steps/a", "Dockerfile", target="t", args=(("P", "${HOME} %{x}"),))
    made = Image("steps/b", "steps/b", "Dockerfile", "python", libraries=(("etl", "libraries/etl"),))
    builds = [Build("a", "acme/shop-a", reader.of(own)), Build("b", "acme/shop-b", reader.of(made))]
    document = json.loads(bake_file(builds))
    assert document["group"] == {"default": {"targets": ["a", "b"]}}
    a, b = document["target"]["a"], document["target"]["b"]
    assert a | {"labels": {}} == {
        "context": "steps/a",
        "contexts": {"x:1": "docker-image://x:1@sha256:5"},
        "dockerfile": "Dockerfile",
        "target": "t",
        "args": {"P": "$${HOME} %%{x}"},
        "platforms": ["linux/amd64", "linux/arm64"],
        "tags": [f"acme/shop-a:in-{builds[0].inputs.digest[:12]}"],
        "labels": {},
    }
    assert a["labels"]["org.opencontainers.image.base.digest"] == "sha256:5"
    assert b["contexts"] == {"library-etl": "libraries/etl"}
    assert "COPY --from=library-etl" in b["dockerfile-inline"]
    below = json.loads(bake_file(builds, below="tree", platforms=False))["target"]["b"]
    assert (below["context"], below["contexts"]["library-etl"]) == ("tree/steps/b", "tree/libraries/etl")
    assert "platforms" not in below


def test_the_lock_survives_its_file_and_what_is_none_is_refused(tmp_path: Path) -> None:
    assert Lock.of(tmp_path) == Lock()
    lock = Lock(
        {"b": Pushed("acme/b", "12", "sha256:1", {"arg V": "1", "steps/b": "07"})}, {"x:1": "sha256:2"}
    )
    lock.write(tmp_path)
    assert Lock.of(tmp_path) == lock
    file = tmp_path / "windlass.lock"
    time = file.stat().st_mtime_ns
    Lock.of(tmp_path).write(tmp_path)
    assert file.stat().st_mtime_ns == time
    assert yaml.safe_load(file.read_text())["version"] == 1
    for text in ("version: 2", "- 1", "version: 1\nimages: {a: {}}", "a: [", "<<<<<<< ours"):
        file.write_text(text)
        with pytest.raises(FatalError) as refused:
            Lock.of(tmp_path)
        assert refused.value.code == Code.UNREADABLE_FILE


def test_a_build_is_told_where_packages_are_and_nothing_of_this_machine(tmp_path: Path) -> None:
    home = {"HOME": str(tmp_path)}
    for name, text in {
        ".config/pip/pip.conf": "[global]\nindex-url = https://me:pw@pypi.acme.test/simple\ncert = /etc/acme.pem\n[install]\ntrusted-host = a.test\n  b.test\n",
        ".npmrc": "//npm.acme.test/:_authToken=${NPM_TOKEN}\n@acme:registry=https://npm.acme.test\ncafile=/etc/acme.pem\nnodedir=/usr\n",
        ".netrc": "machine acme.test login me password pw\n",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    found = secrets_of(
        {**home, "NPM_TOKEN": "it's", "PIP_CERT": "/etc/acme.pem", "UV_CACHE_DIR": "/c", "AWS_KEY": "k"}
    )
    packages = dict(line.removeprefix("export ").split("=", 1) for line in found["packages"].splitlines())
    url = "https://me:pw@pypi.acme.test/simple"
    assert packages["PIP_INDEX_URL"] == packages["UV_DEFAULT_INDEX"] == url
    assert packages["UV_INSECURE_HOST"] == "'a.test b.test'"
    assert packages["NPM_TOKEN"] == """'it'"'"'s'"""
    assert "pem" not in found["packages"] + found["npmrc"]
    assert "_authToken" in found["npmrc"]
    assert found["netrc"].startswith("machine")
    assert not packages.keys() & {"UV_CACHE_DIR", "AWS_KEY", "PIP_CERT"}
    (tmp_path / ".config/uv").mkdir()
    (tmp_path / ".config/uv/uv.toml").write_text(
        '[[index]]\nname = "acme"\nurl = "https://u.test"\n[[index]]\nurl = "https://d.test"\ndefault = true\n'
    )
    found = secrets_of(home)
    assert (
        "export UV_DEFAULT_INDEX=https://d.test\nexport UV_INDEX=acme=https://u.test\n" in found["packages"]
    )
    assert secrets_of({**home, "UV_INDEX_URL": "https://e.test"})["packages"].count("https://e.test") == 1
    assert secrets_of({"HOME": str(tmp_path / "none")}).keys() <= {"packages"}  # of /etc
