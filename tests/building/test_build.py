"""What `windlass build` finds to do, and why: for an engine and a registry that say what they have."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from windlass import logs
from windlass.building import BuildPlan, carrying, plan_builds, planning
from windlass.comparing import difference_since
from windlass.errors import FatalError, UsageError
from windlass.images.bake import Build
from windlass.images.lock import Lock
from windlass.plan.compiler import compile_project
from windlass.runtimes.docker.builders import build_images
from windlass.runtimes.docker.engine import Engine
from windlass.spec import load_project
from windlass.targets.images import with_images

Project = Callable[..., Path]

PYTHON, NODE = "sha256:" + "a" * 64, "sha256:" + "b" * 64
DASHBOARD = {
    "windlass.yaml": """
project: board
images: {registry: docker.io/acme}
libraries: {etl: libraries/etl, influx: libraries/influx, slack: libraries/slack}
""",
    "libraries/etl/postgres.py": "1",
    "libraries/influx/index.js": "2",
    "libraries/slack/__init__.py": "3",
    "steps/weather/main.py": "4",
    "steps/quotes/main.py": "5",
    "steps/quotes/notes.md": "",
    "steps/feed/main.js": "6",
    "pipelines/weather.yaml": """
pipeline: weather
tasks: {fetch: {run: {build: steps/weather, command: [python, main.py], libraries: [etl, slack]}}}
""",
    "pipelines/quotes.yaml": """
pipeline: quotes
params: {city: x}
tasks:
  fetch: {run: {build: steps/quotes, command: [python, main.py], libraries: etl}}
  feed: {run: {build: steps/feed, command: [node, main.js], libraries: [influx]}}
  odd: {run: {build: {context: steps/feed, args: {DAY: "{{ ds }}"}}, command: [node, main.js]}}
""",
}


class Machine:
    """An engine and a registry, and how they were told to build."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.tags: set[str] = set()
        self.registry = {"python:3.12-slim": PYTHON, "node:22-slim": NODE}
        self.built: list[str] = []
        client = SimpleNamespace(
            images=lambda: [{"RepoTags": [tag]} for tag in self.tags] + [{"RepoTags": None}],
            inspect_image=self._inspect,
            inspect_distribution=self._ask,
        )
        self.engine: Any = SimpleNamespace(client=client)
        monkeypatch.setattr(planning, "engine_of", lambda: self.engine)
        monkeypatch.setattr(carrying, "engine_of", lambda: self.engine)
        monkeypatch.setattr(carrying, "build_images", self._build)

    def _inspect(self, image: str) -> dict[str, object]:
        from docker.errors import ImageNotFound

        raise ImageNotFound(image)

    def _ask(self, image: str) -> dict[str, object]:
        from docker.errors import APIError

        if image not in self.registry:
            raise APIError(f"manifest unknown: {image}")
        return {"Descriptor": {"digest": self.registry[image]}}

    def _build(
        self, _: object, __: Path, builds: list[Build], *, push: bool, **___: object
    ) -> dict[str, str]:
        self.built = [build.name for build in builds]
        for build in builds:
            self.tags.add(build.reference.removeprefix("docker.io/"))
            if push:
                self.registry[build.reference] = "sha256:" + build.inputs.digest
        return {build.name: self.registry[build.reference] for build in builds if push}


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(monkeypatch)


def found(plan: BuildPlan) -> dict[str, tuple[str, ...]]:
    return {step.build.name: step.why for step in plan.to_build}


def exported(root: Path, tag: str | None = None) -> dict[str, str]:
    files = load_project(root)
    plans = with_images(compile_project(files), files, tag)
    return {
        f"{name}.{task.name}": str(task.unit.container.image)
        for name, plan in sorted(plans.items())
        for task in sorted(plan.tasks, key=lambda task: task.name)
        if task.unit is not None
    }


def test_without_a_registry_an_export_names_what_was_built_here(machine: Machine, project: Project) -> None:
    root = project(DASHBOARD)
    windlass = root / "windlass.yaml"
    windlass.write_text(windlass.read_text().replace("registry: docker.io/acme", "platforms: [linux/amd64]"))
    assert set(exported(root).values()) == {f"board-{n}:latest" for n in ("feed", "quotes", "weather")}
    carrying.carry_out(plan_builds(root))
    (root / ".windlass/images.json").unlink()  # as in another checkout, for which the engine has all of them
    carrying.carry_out(plan_builds(root))
    named = exported(root)
    assert named.pop("quotes.odd") == "board-feed:latest", "what only a run knows"
    assert set(named.values()) == machine.tags
    assert set(exported(root, "v1").values()) == {f"board-{n}:v1" for n in ("feed", "quotes", "weather")}
    (root / "libraries/slack/__init__.py").write_text("changed")
    why = "weather is not the one that was built: libraries/slack/__init__.py changed"
    with pytest.raises(FatalError, match=why):
        exported(root)


def test_what_has_changed_is_built_once_and_pushed_once(machine: Machine, project: Project) -> None:
    root = project(DASHBOARD)
    first = plan_builds(root)
    assert found(first) == dict.fromkeys(("feed", "quotes", "weather"), ("never built",))
    assert first.unknown == ("steps/feed",)
    assert {step.build.name: step.pipelines for step in first.steps}["feed"] == ("quotes",)
    assert not (root / "windlass.lock").exists()
    carrying.carry_out(first)
    assert Lock.of(root) == Lock({}, {"python:3.12-slim": PYTHON, "node:22-slim": NODE})
    assert found(plan_builds(root)) == {}
    # a library rebuilds all that use it, and nothing else
    (root / "libraries/etl/postgres.py").write_text("changed")
    assert found(plan_builds(root)) == dict.fromkeys(
        ("quotes", "weather"), ("libraries/etl/postgres.py changed",)
    )
    carrying.carry_out(plan_builds(root, ["quotes"]))
    assert machine.built == ["quotes"]
    assert set(found(plan_builds(root))) == {"weather"}
    # the registry has nothing yet, whatever the engine has
    pushing = plan_builds(root, push=True)
    assert found(pushing)["feed"] == ("the registry does not have it",)
    digests = carrying.carry_out(pushing)
    lock = Lock.of(root)
    assert {name: one.digest for name, one in lock.images.items()} == digests
    assert exported(root) == {
        "quotes.feed": lock.images["feed"].reference,
        "quotes.fetch": lock.images["quotes"].reference,
        "quotes.odd": "docker.io/acme/board-feed:latest",
        "weather.fetch": lock.images["weather"].reference,
    }
    machine.registry.clear()  # the lock knows
    assert found(plan_builds(root, push=True)) == {}
    bake = json.loads((root / "docker-bake.json").read_text())
    assert bake["target"]["feed"]["contexts"]["node:22-slim"] == f"docker-image://node:22-slim@{NODE}"
    # another checkout has the lock alone, which knows folders
    machine.tags.clear()
    (root / ".windlass/images.json").unlink()
    assert found(plan_builds(root)) == {}
    (root / "libraries/slack/__init__.py").write_text("changed")
    assert found(plan_builds(root)) == {"weather": ("libraries/slack changed",)}
    with pytest.raises(FatalError, match="weather is not the one that was pushed: libraries/slack changed"):
        exported(root)
    assert set(exported(root, "v1").values()) == {
        f"docker.io/acme/board-{n}:v1" for n in ("feed", "quotes", "weather")
    }
    # one that was pushed for some platforms only is that all the same
    carrying.carry_out(plan_builds(root, push=True, platforms=["linux/arm64"]))
    assert "@sha256:" in exported(root)["weather.fetch"]
    assert found(plan_builds(root))["weather"] == ("platforms changed",)


def test_what_another_machine_has_pushed_is_not_built_again(machine: Machine, project: Project) -> None:
    root, other = project(DASHBOARD), project(DASHBOARD, "other")
    carrying.carry_out(plan_builds(root, push=True))
    plan = plan_builds(other, push=True)
    assert found(plan) == {}
    carrying.carry_out(plan)
    assert Lock.of(other) == Lock.of(root)


def test_the_image_of_the_project_is_pushed_and_exported_like_any_other(
    machine: Machine, project: Project
) -> None:
    root = project(
        {
            "windlass.yaml": "project: shop\nconnections: {db: {type: postgres}}\n"
            "images: {registry: docker.io/acme, project: {files: say.py}}\nruntimes: {default: docker}\n",
            "say.py": "1",
            "pipelines/p.yaml": "pipeline: p\ntasks:\n  clean: {sql: {connection: db, statement: SELECT 1}}\n"
            "  say: {run: {command: [python, say.py]}}\n  other: {run: {image: 'acme/x:1'}}\n",
        }
    )
    assert exported(root)["p.clean"] == "docker.io/acme/shop:latest"
    plan = plan_builds(root, push=True)
    assert found(plan) == {"project": ("never built",)}
    carrying.carry_out(plan)
    reference = Lock.of(root).images["project"].reference
    assert reference.startswith("docker.io/acme/shop@sha256:")
    assert exported(root) == {"p.clean": reference, "p.other": "acme/x:1", "p.say": reference}
    (root / "pipelines/p.yaml").write_text(
        (root / "pipelines/p.yaml").read_text().replace("SELECT 1", "SELECT 2")
    )
    assert exported(root)["p.clean"] == reference  # the plan travels
    (root / "say.py").write_text("2")
    with pytest.raises(FatalError, match="project is not the one that was pushed: say"):
        exported(root)
    assert found(plan_builds(root)) == {"project": ("say.py changed",)}


def test_bases_are_asked_for_once_and_again_when_somebody_wants_to(
    machine: Machine, project: Project
) -> None:
    root = project(DASHBOARD)
    carrying.carry_out(plan_builds(root))
    machine.registry["python:3.12-slim"] = "sha256:new"
    assert found(plan_builds(root)) == {}
    assert found(plan_builds(root, refresh_bases=True)) == dict.fromkeys(
        ("quotes", "weather"), ("base python:3.12-slim changed",)
    )
    machine.registry.clear()
    kept = plan_builds(root, refresh_bases=True)
    assert kept.lock.bases == {"python:3.12-slim": PYTHON, "node:22-slim": NODE}


def test_no_engine_is_needed_to_see_what_there_is_to_do(
    machine: Machine, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none() -> object:
        raise FatalError("no engine")

    monkeypatch.setattr(planning, "engine_of", none)
    assert len(found(plan_builds(project(DASHBOARD)))) == 3


def test_what_cannot_be_done_is_refused(machine: Machine, project: Project) -> None:
    root = project(DASHBOARD)
    with pytest.raises(UsageError, match="no image 'weathr'") as refused:
        plan_builds(root, ["weathr"])
    assert refused.value.hint == "did you mean 'weather'?"
    with pytest.raises(UsageError, match="several are pushed"):
        plan_builds(root, platforms=["linux/amd64", "linux/arm64"])
    (root / "windlass.yaml").write_text(
        DASHBOARD["windlass.yaml"].replace("images: {registry: docker.io/acme}", "")
    )
    with pytest.raises(UsageError, match="no registry"):
        plan_builds(root, push=True)


# a `docker` with buildx that notes how it is called, and says of everything that it is built
BUILDX = """#!{python}
import json, os, pathlib, sys
if sys.argv[2] == "inspect":
    print("Driver: {driver}")
if sys.argv[2] == "bake":
    pathlib.Path({called!r}).write_text(json.dumps(sys.argv))
    target = {{"containerimage.digest": "sha256:" + 64 * "0"}}
    pathlib.Path("metadata.json").write_text(json.dumps(dict.fromkeys(json.load(open("docker-bake.json"))["target"], target)))
"""


@pytest.mark.parametrize(
    ("driver", "sbom", "attested", "is_told"),
    [
        ("docker-container", True, ["--sbom=true", "--provenance=mode=max"], False),
        (
            "docker-container",
            "acme/scanner",
            ["--sbom=generator=acme/scanner", "--provenance=mode=max"],
            False,
        ),
        ("docker", True, [], True),
        ("docker", False, [], False),
    ],
)
def test_an_image_is_attested_or_it_is_said_that_it_is_not(
    driver: str,
    sbom: bool | str,
    attested: list[str],
    is_told: bool,
    machine: Machine,
    project: Project,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said: list[logs.Record] = []
    monkeypatch.setattr(logs, "_sink", said.append)
    root, called, program = project(DASHBOARD), tmp_path / "called.json", tmp_path / "bin" / "docker"
    program.parent.mkdir()
    program.write_text(BUILDX.format(python=sys.executable, driver=driver, called=str(called)))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent))
    engine = Engine(machine.engine.client, "Docker 28.0", f"unix://{tmp_path}", False, False)
    builds = [step.build for step in plan_builds(root, push=True).steps]
    digests = build_images(engine, root, builds, push=True, sbom=sbom)
    assert digests == dict.fromkeys(("feed", "quotes", "weather"), "sha256:" + 64 * "0")
    found = [part for part in json.loads(called.read_text()) if part.startswith(("--sbom", "--provenance"))]
    assert found == attested
    assert ("not_attested" in [record["event"] for record in said]) == is_told


def git(root: Path, *arguments: str) -> None:
    who = ["-c", "user.name=Ada", "-c", "user.email=ada@acme.test", "-c", "init.defaultBranch=main"]
    subprocess.run(["git", "-C", str(root), *who, *arguments], check=True, capture_output=True)


def test_what_has_changed_since_a_commit_is_told_whatever_made_it_change(
    machine: Machine, project: Project
) -> None:
    top = project({"README.md": ""}, "repository")
    root = project(DASHBOARD, "repository/board")
    with pytest.raises(UsageError, match="git cannot tell"):
        plan_builds(root, since="main")
    git(top, "init")
    git(top, "add", "-A")
    git(top, "commit", "-m", "one")
    assert plan_builds(root, since="main").steps == ()
    git(top, "checkout", "-b", "feature")
    (root / "libraries/influx/index.js").write_text("changed")
    git(top, "commit", "-am", "two")
    (root / "libraries/influx/new.js").write_text("not even added")
    (root / "steps/quotes/main.py").unlink()
    (root / "pipelines/weather.yaml").write_text(
        DASHBOARD["pipelines/weather.yaml"].replace("[etl, slack]", "etl")
    )
    # what is committed there afterwards is not a change of this branch
    git(top, "stash")
    git(top, "checkout", "main")
    (root / "steps/weather/main.py").write_text("of somebody else")
    git(top, "commit", "-am", "three")
    git(top, "checkout", "feature")
    git(top, "stash", "pop")
    assert found(plan_builds(root, since="main")) == {
        "feed": ("libraries/influx/index.js changed", "libraries/influx/new.js added"),
        "quotes": ("steps/quotes/main.py removed",),
        "weather": (
            "libraries/slack/__init__.py removed",
            "library slack removed",
            "the Dockerfile changed",
        ),
    }
    difference = difference_since(root, "main")
    assert [(one.pipeline, one.status) for one in difference.pipelines] == [("weather", "changed")]
    assert {step.build.name for step in difference.images} == {"feed", "quotes", "weather"}
    assert set(found(plan_builds(root, ["quotes"], since="HEAD"))) == {"quotes"}
    with pytest.raises(UsageError, match="git cannot tell"):
        plan_builds(root, since="no-such-branch")
