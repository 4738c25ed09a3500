"""Has images built: by BuildKit's bake where the `docker` command has buildx, by BuildKit in the command of the years
before that, else by the engine itself (Podman, or no command). Windlass builds nothing by itself.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import NamedTuple

from windlass import logs
from windlass.errors import Code, FatalError, RetryableError
from windlass.files import write_file
from windlass.images.bake import EPOCH, FILE, Build, bake_file, labels_of, laid_out, place_of
from windlass.images.dockerfile import with_bases, with_library_stages
from windlass.images.generating import NOT_READ
from windlass.images.inputs import Inputs
from windlass.images.packages import secrets_of
from windlass.processes import last_words
from windlass.processes.environment import for_containers, installing
from windlass.runtimes.docker.engine import Engine, telling

__all__ = ["build_images", "way_of_building"]

_KEPT = 200  # lines of what a build says
_PLACE = "project"
_TAKES_FOLDERS = 23  # the first Docker whose BuildKit does
_HINTS = {
    "Multi-platform build is not supported|multiple platforms feature is currently not supported": (
        "the engine builds for its own platform alone; make a builder: docker buildx create --use"
    ),
    "--mount option requires BuildKit": "install buildx, the plugin of the docker command that has BuildKit build it",
}
_FAILED_STEP = re.compile(r"^------\n > [^\n]*\n(.*?\S.*?)^------$", re.MULTILINE | re.DOTALL)
_CLOCK = re.compile(r"^(#\d+ )?\d+\.\d+ ", re.MULTILINE)
_NO_ANSWER = re.compile(r"connection refused|no such host|i/o timeout|TLS handshake timeout|connection reset")


class _How(NamedTuple):
    push: bool
    platforms: bool
    labels: Mapping[str, str]
    sbom: bool | str
    shown: bool


class _Said(NamedTuple):
    text: str
    is_done: bool


def build_images(
    engine: Engine,
    project: Path,
    builds: Sequence[Build],
    *,
    push: bool = False,
    platforms: bool = False,
    labels: Mapping[str, str] = {},
    sbom: bool | str = True,
    shown: bool = False,
) -> dict[str, str]:
    """Have images built, and pushed with `push`: for their platforms, or without `platforms` for the one that the engine
    runs. Returns the digests that the registry has of them, by name; of none that was not pushed. With `shown` a builder
    says on stderr what it does. Raises WindlassError with what the build said last.
    """
    _tell_of_locks(builds)
    how, way = _How(push, platforms, labels, sbom, shown), way_of_building(engine)
    if push and sbom and not way.attests:
        hint = "docker buildx create --use; or say in windlass.yaml: images: {sbom: false}"
        logs.warning("not_attested", because="the builder here writes neither SBOM nor provenance", hint=hint)
    with _tree(builds, project) as tree:
        if way.bakes:
            return _bake(engine, tree, builds, how)
        return dict(_one_by_one(engine, tree, builds, how))


def _tell_of_locks(builds: Sequence[Build]) -> None:
    for build in builds:
        for line in build.inputs.dockerfile.splitlines():
            if not build.inputs.is_own and line.startswith(NOT_READ):
                name, _, hint = line.removeprefix(NOT_READ).partition(": ")
                logs.warning("lock_not_read", image=build.name, file=name, hint=hint)


@contextmanager
def _tree(builds: Sequence[Build], project: Path) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="windlass-build-") as name:
        laid_out(builds, project, Path(name) / _PLACE)
        yield Path(name)


@dataclass(frozen=True)
class _Way:
    """How images are built here."""

    bakes: bool = False
    """Whether a bake file can be handed over: to buildx, and a BuildKit that takes other folders than the one it builds."""

    command: tuple[str, ...] | None = None
    """What builds one image by BuildKit; without it the engine does, in its own way."""

    driver: str = ""
    """Of buildx; that of the BuildKit inside an engine is called `docker`."""

    @property
    def attests(self) -> bool:
        """Whether an image can say of which packages it is (SBOM), and how it was made (provenance)."""
        return self.bakes and self.driver != "docker"


def way_of_building(engine: Engine) -> _Way:
    """How images are built here, by the `docker` command on the PATH or without one."""
    program = shutil.which("docker")
    if program is None or engine.is_podman:
        return _Way()
    return _way_of(program, engine.url, engine.major)


@cache
def _way_of(program: str, url: str, engine: int) -> _Way:
    ours = {**for_containers(os.environ), "DOCKER_HOST": url}

    def said(*arguments: str) -> tuple[int, str]:
        done = subprocess.run([program, *arguments], env=ours, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout

    if said("buildx", "version")[0] == 0:
        found = re.search(r"^Driver:\s+(\S+)", said("buildx", "inspect")[1], re.MULTILINE)
        driver = found[1] if found else "docker"
        takes_folders = driver != "docker" or engine >= _TAKES_FOLDERS
        return _Way(takes_folders, (program, "buildx", "build", "--load"), driver)
    major = said("version", "--format", "{{.Client.Version}}")[1].partition(".")[0]
    return _Way(command=(program, "build") if major.isdigit() and 19 <= int(major) < 23 else None)


# --- by buildx ---


def _bake(engine: Engine, tree: Path, builds: Sequence[Build], how: _How) -> dict[str, str]:
    text = bake_file(builds, below=_PLACE, platforms=how.platforms)
    write_file(tree / FILE, text, errors="surrogateescape")
    told = tree / "metadata.json"
    handed, environment = _secrets()
    command = ["docker", "buildx", "bake", f"--file={FILE}", "--progress=plain", f"--metadata-file={told}"]
    attested = _attested(how.sbom) if way_of_building(engine).attests else []
    command += ["--push", *attested] if how.push else ["--load"]
    command += [f"--set=*.labels.{name}={value}" for name, value in how.labels.items()]
    command += [f"--set=*.secrets={secret}" for secret in handed]
    said = _called(engine, command, tree, environment, shown=how.shown)
    if not said.is_done:
        raise _failed(", ".join(build.name for build in builds), said.text)
    found = json.loads(told.read_text()) if how.push else {}
    return {build.name: found[build.name]["containerimage.digest"] for build in builds if how.push}


def _attested(sbom: bool | str) -> list[str]:
    """What an image shall say of its packages and its making."""
    by = f"generator={sbom}" if isinstance(sbom, str) else str(sbom).lower()
    return [f"--sbom={by}", "--provenance=mode=max"]


# --- one after the other ---


def _one_by_one(engine: Engine, tree: Path, builds: Sequence[Build], how: _How) -> Iterator[tuple[str, str]]:
    for build in builds:
        inputs, platform = build.inputs, build.inputs.image.platform
        if how.platforms:
            platform = inputs.settings["platforms"]
        if platform is not None and "," in platform:
            hint = "it takes the plugin buildx of the docker command, and a Docker from 23 on or a builder of its own"
            raise FatalError(f"{build.name} is built for {platform}", hint=hint, code=Code.NO_IMAGE)
        labels = {**labels_of(build), **how.labels}
        options = _Options(inputs.target, dict(inputs.image.args), platform, labels, how.shown)
        with _images_of_libraries(engine, tree, inputs) as libraries:
            text = with_bases(inputs.dockerfile, dict(inputs.image.args), inputs.bases)
            text = with_library_stages(text, libraries)
            context = tree / place_of(build, _PLACE) / inputs.image.context
            _require(inputs.image.folder, _built(engine, context, text, build.reference, options))
        if how.push:
            yield build.name, _pushed(engine, build)


@contextmanager
def _images_of_libraries(engine: Engine, tree: Path, inputs: Inputs) -> Iterator[dict[str, str]]:
    """An image with the files of each library alone, for a builder that takes no other folder than the one it builds;
    in the end they are gone.
    """
    from docker.errors import DockerException

    made: dict[str, str] = {}
    try:
        for name, folder in inputs.image.libraries:
            made[name] = f"windlass/library:{inputs.parts[folder]}-{secrets.token_hex(4)}"
            said = _built(engine, tree / _PLACE / folder, "FROM scratch\nCOPY . /\n", made[name], _Options())
            _require(folder, said)
        yield made
    finally:
        for image in made.values():
            with suppress(DockerException, OSError):  # not made, or in use: nothing depends on it
                engine.client.remove_image(image)


class _Options(NamedTuple):
    target: str | None = None
    args: Mapping[str, str] = {}
    platform: str | None = None
    labels: Mapping[str, str] = {}
    shown: bool = False


def _built(engine: Engine, context: Path, text: str, image: str, options: _Options) -> _Said:
    builder = way_of_building(engine).command
    if builder is None:
        return _by_engine(engine, context, text, image, options)
    handed, environment = _secrets()
    command = [*builder, "--progress=plain", f"--tag={image}", "--file=-"]
    command += [f"--secret={secret}" for secret in handed]
    command += [f"--target={options.target}"] if options.target else []
    command += [f"--platform={options.platform}"] if options.platform else []
    command += [f"--build-arg={name}={value}" for name, value in options.args.items()]
    command += [f"--label={name}={value}" for name, value in options.labels.items()]
    return _called(engine, [*command, "."], context, environment, text, shown=options.shown)


def _by_engine(engine: Engine, context: Path, text: str, image: str, options: _Options) -> _Said:
    from docker.utils import tar

    lines, is_built = list[str](), True
    dockerfile = f".dockerfile.{secrets.token_hex(8)}"  # which the engine keeps out of the image
    with tar(str(context), dockerfile=(dockerfile, text)) as sent, telling(f"build {image}"):
        said = engine.client.build(
            fileobj=sent,
            custom_context=True,
            tag=image,
            dockerfile=dockerfile,
            target=options.target,
            buildargs=dict(options.args),
            platform=options.platform,
            labels=dict(options.labels),
            rm=True,
            forcerm=True,
            decode=True,
            use_config_proxy=True,
        )
        for item in said:
            is_built = is_built and "error" not in item
            lines = [*lines[-_KEPT:], str(item.get("stream") or item.get("error") or "").rstrip("\n")]
    return _Said("\n".join(filter(None, lines)), is_built)


def _pushed(engine: Engine, build: Build) -> str:
    """Push an image that the engine has. Returns the digest that the registry has of it."""
    logs.info("image_push", image=build.reference)
    with telling(f"push {build.reference}"):
        said = list(engine.client.push(build.repository, tag=build.inputs.tag, stream=True, decode=True))
    why = next((item["error"] for item in said if "error" in item), None)
    if why is not None:
        raise _failed(build.name, f"push {build.reference}: {why}")
    return str(next(item["aux"]["Digest"] for item in reversed(said) if "Digest" in item.get("aux", {})))


# --- what all of them need ---


def _environment(engine: Engine) -> dict[str, str]:
    return {
        **installing(os.environ),
        **for_containers(os.environ),
        "DOCKER_HOST": engine.url,
        "DOCKER_BUILDKIT": "1",
        "SOURCE_DATE_EPOCH": str(EPOCH),
    }


def _secrets() -> tuple[list[str], dict[str, str]]:
    """The secrets of a build as its command names them, and the variables in which it finds them: on no disk."""
    found = {
        name: (f"WINDLASS_BUILD_{name.upper()}", content) for name, content in secrets_of(os.environ).items()
    }
    return [f"id={name},env={variable}" for name, (variable, _) in found.items()], dict(found.values())


def _called(
    engine: Engine,
    command: Sequence[str],
    folder: Path,
    more: Mapping[str, str],
    given: str = "",
    *,
    shown: bool = False,
) -> _Said:
    done = subprocess.run(
        command,
        cwd=folder,
        env={**_environment(engine), **more},
        input=given.encode(errors="surrogateescape"),
        stdout=subprocess.DEVNULL,
        stderr=None if shown else subprocess.PIPE,
        check=False,
    )
    return _Said((done.stderr or b"").decode(errors="replace"), done.returncode == 0)


def _require(what: str, said: _Said) -> None:
    if not said.is_done:
        raise _failed(what, said.text)


def _failed(what: str, said: str) -> FatalError | RetryableError:
    hint = next((hint for why, hint in _HINTS.items() if re.search(why, said)), None)
    step = _FAILED_STEP.search(said)  # BuildKit shows it again, above the lines of the Dockerfile
    told = _CLOCK.sub("", step[1]) if step else said
    kind = RetryableError if _NO_ANSWER.search(said.splitlines()[-1] if said else "") else FatalError
    return kind(f"cannot build {what}:{last_words(logs.mask(told), 1)}", hint=hint, code=Code.NO_IMAGE)
