"""The image of the project itself: made of windlass and of what the project names, and of no pipeline."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from zipfile import ZipFile

import pytest

from windlass import __version__
from windlass.errors import FatalError
from windlass.images import inputs
from windlass.images.bake import Build, laid_out
from windlass.images.image import Image, images_of, project_image
from windlass.images.inputs import Inputs, Reader
from windlass.images.wheel import Wheel, own_wheel
from windlass.plan.compiler import compile_project
from windlass.spec import load_project

Project = Callable[..., Path]

FILES = {
    "windlass.yaml": """
project: Shop
connections: {warehouse: {type: postgres}, hook: {type: slack}}
images: {registry: docker.io/acme, project: {files: [scripts, "a file.txt"]}}
""",
    "pipelines/a.yaml": """
pipeline: a
tasks:
  load: {copy: {from: {path: in.csv}, to: {connection: warehouse, table: t}}}
  step: {run: {build: steps/x, command: [python, main.py]}}
  made: {run: {image: "debian:12"}}
""",
    "pipelines/b.yaml": "pipeline: b\ntasks: {say: {run: {command: [python, scripts/say.py]}}}\n",
    "pipelines/c.yaml": "pipeline: c\ntasks: {step: {run: {build: steps/x, command: [python, main.py]}}}\n",
    "steps/x/main.py": "",
    "scripts/say.py": "1",
    "scripts/__pycache__/say.pyc": "",
    "a file.txt": "2",
    "orders.csv": "3",
}


def wanted(root: Path) -> Image:
    image = project_image(load_project(root).spec)
    assert image is not None
    return image


def read(root: Path) -> Inputs:
    spec = load_project(root).spec
    return Reader(root, spec.images, {}).of(wanted(root))


def test_it_is_wanted_by_what_windlass_does_and_by_commands_without_a_folder(project: Project) -> None:
    root = project(FILES)
    files = load_project(root)
    found = {one.name: one.pipelines for one in images_of(compile_project(files), files)}
    assert found == {"project": ("a", "b"), "x": ("a", "c")}
    (root / "windlass.yaml").write_text("project: Shop\nconnections: {warehouse: {type: postgres}}\n")
    files = load_project(root)
    assert {one.name for one in images_of(compile_project(files), files)} == {"x"}
    assert project_image(files.spec) is None


def test_it_is_made_of_what_is_named_and_of_no_pipeline(project: Project, tmp_path: Path) -> None:
    root = project(FILES)
    wheel = own_wheel()
    assert wheel is not None  # the tests run from source
    before = read(root)
    assert sorted(before.files) == ["a file.txt", "scripts/say.py", wheel.name]
    laid_out([Build("project", "acme/shop", before)], root, tmp_path / "tree")
    laid = {p.name for p in (tmp_path / "tree-itself").rglob("*") if p.is_file()}
    assert laid == {"a file.txt", "say.py", wheel.name}
    for path in ("pipelines/b.yaml", "orders.csv", "steps/x/main.py", "windlass.yaml"):
        (root / path).write_text((root / path).read_text() + "\n")
    assert read(root).digest == before.digest
    (root / "scripts/say.py").write_text("changed")
    assert read(root).digest != before.digest
    (root / "a file.txt").unlink()
    with pytest.raises(FatalError, match=r"there is no .*a file\.txt") as refused:
        read(root)
    assert "images.project.files" in str(refused.value.hint)


@pytest.mark.parametrize(
    ("manifests", "installs"),
    [
        ((), ["uv venv /venv", "uv pip install --python /venv/bin/python 'WINDLASS'"]),
        (
            ("requirements.txt", "pyproject.toml", "uv.lock"),
            ["uv venv /venv", "uv pip install --python /venv/bin/python -r requirements.txt 'WINDLASS'"],
        ),
        (
            ("pyproject.toml", "uv.lock"),
            [
                "uv sync --frozen --no-default-groups --no-install-project",
                "uv pip install --python /venv/bin/python 'WINDLASS'",
            ],
        ),
        (
            ("pyproject.toml",),
            ["uv venv /venv", "uv pip install --python /venv/bin/python -r pyproject.toml 'WINDLASS'"],
        ),
    ],
)
def test_the_very_version_of_windlass_is_installed_beside_what_the_project_names(
    manifests: tuple[str, ...], installs: list[str], project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = project({**FILES, **dict.fromkeys(manifests, "")})
    extras = "windlass[excel,files,json-schema,postgres]"
    released, local = f"{extras}=={__version__}", f"{extras} @ file:///project/windlass-9-py3-none-any.whl"
    for wheel, windlass in ((None, released), (Wheel("windlass-9-py3-none-any.whl", b"9"), local)):
        monkeypatch.setattr(inputs, "own_wheel", lambda wheel=wheel: wheel)
        made = read(root)
        assert " && ".join(installs).replace("WINDLASS", windlass) in made.dockerfile
        assert {*manifests[: 1 if "requirements.txt" in manifests else 2]} <= made.files.keys()
        assert 'COPY ["a file.txt", "./a file.txt"]' in made.dockerfile
        assert "echo 'project: Shop' > windlass.yaml" in made.dockerfile
    own = "FROM acme/base\nCOPY scripts .\n"
    (root / "Dockerfile").write_text(own)
    assert (read(root).dockerfile, read(root).is_own) == (own, True)


def test_the_wheel_is_whole_and_says_what_is_in_it() -> None:
    wheel = own_wheel()
    assert wheel is not None
    with ZipFile(BytesIO(wheel.content)) as archive:
        names = archive.namelist()
        information = f"windlass-{__version__}.dist-info"
        record = archive.read(f"{information}/RECORD").decode().splitlines()
        assert [line.partition(",")[0] for line in record] == names
        assert "windlass = windlass.__main__:main" in archive.read(f"{information}/entry_points.txt").decode()
        source = Path(inputs.__file__).read_bytes()
        assert archive.read("windlass/images/inputs.py") == source
    assert not [name for name in names if "__pycache__" in name]
    own_wheel.cache_clear()
    again = own_wheel()
    assert again is not None
    assert hashlib.sha256(again.content).digest() == hashlib.sha256(wheel.content).digest()
