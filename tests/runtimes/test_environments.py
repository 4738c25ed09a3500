"""Environments of steps: made for all that they depend on, once, whole or not at all, and by no other Python."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from windlass.errors import FatalError
from windlass.runtimes.environments import StepEnvironment, environment_for

# Builds its package without another package, so that nothing has to be fetched.
BACKEND = """
import os, pathlib, zipfile
NAME = {name!r}
def _wheel(folder, files):
    name = f"{{NAME}}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(os.path.join(folder, name), "w") as wheel:
        for file, text in files.items():
            wheel.writestr(file, text)
        wheel.writestr(f"{{NAME}}-1.0.dist-info/METADATA", f"Metadata-Version: 2.1\\nName: {{NAME}}\\nVersion: 1.0\\n{requires}")
        wheel.writestr(f"{{NAME}}-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr(f"{{NAME}}-1.0.dist-info/RECORD", "")
    return name
def build_wheel(folder, *_):
    return _wheel(folder, {{f"{{NAME}}.py": pathlib.Path(f"{{NAME}}.py").read_text()}})
def build_editable(folder, *_):
    return _wheel(folder, {{f"{{NAME}}.pth": os.getcwd()}})
"""


def package(folder: Path, name: str, says: str, more: str = "", requires: str = "") -> None:
    """A package whose module says something."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "pyproject.toml").write_text(
        f'[project]\nname = "{name}"\nversion = "1.0"\n{more}\n'
        '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
    )
    (folder / "backend.py").write_text(BACKEND.format(name=name, requires=requires))
    (folder / f"{name}.py").write_text(f"says = {says!r}\n")


Says = Callable[[Path, str], str]


@pytest.fixture
def environments(tmp_path: Path) -> Path:
    return tmp_path / "envs"


@pytest.fixture
def says(environments: Path) -> Says:
    """What a module says in the environment of a step."""

    def call(folder: Path, module: str) -> str:
        return ran(environment_for(folder, "python", environments), f"import {module}; print({module}.says)")

    return call


def test_an_environment_is_made_where_nothing_can_be_kept_below_home(
    tmp_path: Path, says: Says, environments: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "home").write_text("a file")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in ("UV_CACHE_DIR", "PIP_CACHE_DIR", "npm_config_cache", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    package(tmp_path / "step", "step", "made")
    assert says(tmp_path / "step", "step") == "made"
    assert not list(environments.glob("*.cache"))


def ran(environment: StepEnvironment | None, code: str) -> str:
    assert environment is not None
    command = [environment.program("python"), "-c", code]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


# --- what an environment depends on ---


def test_steps_that_name_different_folders_by_the_same_words_share_nothing(
    tmp_path: Path, says: Says
) -> None:
    for name in ("one", "two"):
        package(tmp_path / name / "helper", "helper", name)
        (tmp_path / name / "requirements.txt").write_text("./helper\n")
    assert [says(tmp_path / name, "helper") for name in ("one", "two")] == ["one", "two"]


@pytest.mark.parametrize(
    "requirement",
    [
        "./helper",
        "./helper/",
        "helper @ file://{folder}/helper",
        "file://{folder}/helper",
        "-e ./helper",
        "--editable=./helper  # a comment",
        "-r more.txt",
        "--requirement=more.txt",
        "-r inner/more.txt",
        "./helper ; python_version > '3'",
        "\ufeff./helper",
    ],
)
def test_a_change_of_what_is_named_is_noticed(requirement: str, tmp_path: Path, says: Says) -> None:
    folder = tmp_path / "step"
    package(folder / "helper", "helper", "before")
    (folder / "inner").mkdir()
    (folder / "requirements.txt").write_text(requirement.format(folder=folder), encoding="utf-8")
    for more in ("more.txt", "inner/more.txt"):
        (folder / more).write_text(f"helper @ file://{folder}/helper\n")
    assert says(folder, "helper") == "before"
    (folder / "helper/helper.py").write_text("says = 'behind'\n")
    assert says(folder, "helper") == "behind"


def test_a_package_with_sources_beside_it_notices_their_changes(tmp_path: Path, says: Says) -> None:
    package(tmp_path / "shared", "shared", "before")
    sources = 'dependencies = ["shared"]\n[tool.uv.sources]\nshared = {path = "../shared"}'
    package(tmp_path / "step", "step", "me", sources, r"Requires-Dist: shared\n")
    assert (says(tmp_path / "step", "shared"), says(tmp_path / "step", "step")) == ("before", "me")
    (tmp_path / "shared/shared.py").write_text("says = 'behind'\n")
    assert says(tmp_path / "step", "shared") == "behind"


def test_a_lock_file_says_what_is_installed(tmp_path: Path, environments: Path) -> None:
    for version in ("old", "new"):
        package(tmp_path / version, "shared", version)
    sources = 'dependencies = ["shared"]\n[tool.uv.sources]\nshared = {path = "../old"}'
    step = tmp_path / "step"
    package(step, "step", "me", sources, r"Requires-Dist: shared\n")
    uv = Path(sys.executable).with_name("uv")
    subprocess.run([uv, "lock", "--offline", "--quiet", "--python", sys.executable], cwd=step, check=True)
    code = "import shared, step; print(shared.says, step.says)"
    assert ran(environment_for(step, "python", environments), code) == "old me"
    first = environment_for(step, "python", environments)
    (step / "uv.lock").write_text((step / "uv.lock").read_text() + "\n# locked again\n")
    assert environment_for(step, "python", environments) != first


def test_an_environment_that_asks_for_the_same_is_made_once(tmp_path: Path, environments: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "requirements.txt").write_text("# nothing\n")
        (tmp_path / name / "main.py").write_text(name)
    made = [environment_for(tmp_path / name, "python", environments) for name in ("one", "two", "one")]
    assert made[0] == made[1] == made[2]


# --- which environment a command gets ---


@pytest.mark.parametrize(
    ("files", "program", "kinds"),
    [
        ({}, "sh", ""),
        ({}, "python", "python"),
        ({}, "node", "node"),
        ({"package.json": "{}"}, "python", "python"),
        ({"package.json": "{}"}, "sh", ""),
        ({"package.json": '{"devDependencies": {"prettier": "3"}}'}, "make", ""),
        ({"pyproject.toml": "[tool.ruff]\nline-length = 100\n"}, "sh", ""),
        ({"requirements.txt": ""}, "sh", "python"),
        (
            {"requirements.txt": "", "package.json": '{"dependencies": {"d": "file:./d"}}'},
            "sh",
            "python node",
        ),
        ({"package.json": '{"dependencies": {"d": "file:./d"}}'}, "python3", "python"),
        ({"requirements.txt": "", "package.json": '{"dependencies": {"d": "file:./d"}}'}, "npx", "node"),
    ],
)
def test_the_command_decides_and_then_the_files(
    files: dict[str, str], program: str, kinds: str, tmp_path: Path, environments: Path
) -> None:
    folder = tmp_path / "step"
    (folder / "d").mkdir(parents=True)
    (folder / "d/package.json").write_text('{"name": "d", "version": "1.0.0"}')
    for name, text in files.items():
        (folder / name).write_text(text)
    found = environment_for(folder, program, environments)
    own = found.own if found is not None else frozenset()
    assert {kind for kind in ("python", "node") if kind in own or f"{kind}3" in own} == {*kinds.split()}
    assert (folder / "node_modules").exists() == ("node" in kinds and "package.json" in files)


def test_the_root_of_a_project_asks_for_nothing(tmp_path: Path, environments: Path) -> None:
    (tmp_path / "requirements.txt").write_text("no-such-package-of-anybody\n")
    (tmp_path / "package.json").write_text(
        '{"dependencies": {"no": "file:./no"}, "scripts": {"postinstall": "exit 1"}}'
    )
    assert environment_for(tmp_path, "sh", environments, builds=False) is None
    own = environment_for(tmp_path, "python", environments, builds=False)
    assert ran(own, "import sys; print(sys.prefix)").startswith(str(environments))
    assert environment_for(tmp_path, "node", environments, builds=False) is not None
    assert not (tmp_path / "node_modules").exists()


def test_another_version_of_python_is_asked_for(tmp_path: Path, environments: Path) -> None:
    own = f"python3.{sys.version_info.minor}"
    made = environment_for(tmp_path, own, environments)
    assert made is not None
    assert Path(made.program(own)).is_relative_to(environments)
    with pytest.raises(FatalError, match="cannot set up the environment of"):
        environment_for(tmp_path, "python3.0", environments)


def test_what_is_gone_is_made_anew_and_never_another_python(tmp_path: Path, environments: Path) -> None:
    made = environment_for(tmp_path, "python", environments)
    assert made is not None
    python = made.programs[0] / "python"
    python.unlink()
    with pytest.raises(FatalError, match="there is no python in the environment of the step"):
        made.program("python")
    python.symlink_to("/nonexistent/python3.11")
    again = environment_for(tmp_path, "python", environments)
    assert ran(again, "print('there')") == "there"
    assert len([path for path in environments.iterdir() if path.is_dir() and not path.is_symlink()]) == 1


# --- Node.js ---


@pytest.fixture
def node_step(tmp_path: Path) -> Path:
    folder = tmp_path / "steps" / "n"
    (folder / "mine").mkdir(parents=True)
    (folder / "package.json").write_text(
        json.dumps({"name": "n", "version": "1.0.0", "dependencies": {"mine": "file:./mine", "beside": "file:../beside"},
                    "scripts": {"postinstall": "cat data.txt >> node_modules/post.txt"}})
    )  # fmt: skip
    (folder / "data.txt").write_text("ran\n")
    for name in ("n/mine", "beside"):
        (tmp_path / "steps" / name).mkdir(exist_ok=True)
        text = json.dumps({"name": Path(name).name, "version": "1.0.0", "main": "index.js"})
        (tmp_path / "steps" / name / "package.json").write_text(text)
        (tmp_path / "steps" / name / "index.js").write_text("module.exports = 'before';\n")
    return folder


def node_says(folder: Path, environments: Path) -> str:
    found = environment_for(folder, "node", environments)
    assert found is not None
    command = [found.program("node"), "-e", "console.log(require('mine'), require('beside'))"]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


@pytest.mark.parametrize("locked", [True, False])
def test_node_modules_are_made_once_and_the_folder_stays_as_it_is(
    locked: bool, node_step: Path, environments: Path
) -> None:
    if locked:
        command = ["npm", "install", "--package-lock-only", "--no-audit", "--ignore-scripts", "--offline"]
        subprocess.run(command, cwd=node_step, check=True, capture_output=True)
    before = {path.name for path in node_step.iterdir()}
    for _ in range(3):
        assert node_says(node_step, environments) == "before before"
    assert {path.name for path in node_step.iterdir()} == {*before, "node_modules"}
    assert (node_step / "node_modules/post.txt").read_text() == "ran\n"
    assert sorted(path.name for path in node_step.parent.iterdir()) == ["beside", "n"]
    (node_step / "mine/index.js").write_text("module.exports = 'behind';\n")
    assert node_says(node_step, environments) == "behind before"


def test_an_install_that_fails_leaves_what_is_there(node_step: Path, environments: Path) -> None:
    assert node_says(node_step, environments) == "before before"
    package = (node_step / "package.json").read_text()
    (node_step / "package.json").write_text(package.replace("cat data.txt", "exit 1; cat data.txt"))
    with pytest.raises(FatalError, match="cannot set up the environment of n"):
        environment_for(node_step, "node", environments)
    assert sorted(path.name for path in node_step.parent.iterdir()) == ["beside", "n"]
    (node_step / "package.json").write_text(package)
    assert node_says(node_step, environments) == "before before"
    assert (node_step / "node_modules/post.txt").read_text() == "ran\n"  # it is the very one


def test_what_somebody_else_made_stays(node_step: Path, environments: Path) -> None:
    (node_step / "node_modules/mine").mkdir(parents=True)
    (node_step / "node_modules/mine/index.js").write_text("")
    environment_for(node_step, "node", environments)
    assert [path.name for path in (node_step / "node_modules").iterdir()] == ["mine"]


# --- several at once, killed ---

MAKER = """
import sys
from pathlib import Path
from windlass.runtimes.environments import environment_for
environment_for(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))
"""


@pytest.mark.parametrize("program", ["python", "node"])
def test_whoever_is_killed_leaves_an_environment_that_is_whole(
    program: str, tmp_path: Path, node_step: Path, environments: Path, says: Says
) -> None:
    folder = node_step
    package(folder / "helper", "helper", "whole")
    (folder / "requirements.txt").write_text("./helper\n")
    chance = random.Random(os.environ["WINDLASS_TEST_SEED"] + program)
    for _ in range(3):
        command = [sys.executable, "-c", textwrap.dedent(MAKER), str(folder), program, str(environments)]
        makers = [subprocess.Popen(command, stdout=-3, stderr=-3, start_new_session=True) for _ in range(4)]
        for maker in makers:
            time.sleep(chance.uniform(0, 0.6))
            maker.kill()
        for maker in makers:
            maker.wait()
        if program == "python":
            assert says(folder, "helper") == "whole"
            made = [path for path in environments.iterdir() if path.is_dir() and not path.is_symlink()]
            assert len(made) == 1
            shutil.rmtree(made[0])
        else:
            assert node_says(folder, environments) == "before before"
            assert sorted(path.name for path in folder.parent.iterdir()) == ["beside", "n"]
            shutil.rmtree(folder / "node_modules")


def test_what_a_kill_left_beside_modules_that_are_in_their_place_is_removed(
    node_step: Path, environments: Path
) -> None:
    assert node_says(node_step, environments) == "before before"
    left = node_step.with_name(".n.windlass-npm-0a1b2c3d")
    (left / "node_modules").mkdir(parents=True)
    for ending in (".alive", ".wanted"):
        left.with_name(left.name + ending).touch()
    assert node_says(node_step, environments) == "before before"
    assert sorted(path.name for path in node_step.parent.iterdir()) == ["beside", "n"]
