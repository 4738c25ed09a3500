"""Finds the container engine, as its own command would, and at the usual sockets; and says its errors in our words."""

from __future__ import annotations

import os
import platform
import re
import socket
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from windlass.errors import Code, FatalError, RetryableError, extra, reason_of
from windlass.ports import is_loopback

if TYPE_CHECKING:
    from windlass.runtimes.docker.client import Client

__all__ = ["SEE_DOCTOR", "Engine", "engine_of", "telling"]

_SECONDS_TO_CONNECT = 30  # Podman asks the packages of its machine for their versions: 10 on a busy one
_SECONDS = 60  # for an answer; an engine that starts many containers at once takes its time
SEE_DOCTOR = "`windlass doctor` tries whether containers see this folder"
_NO_FOLDER = "bind source path does not exist"
_CONNECTIONS = 100  # one for each container that runs


@dataclass(frozen=True)
class Engine:
    """A container engine that answers."""

    client: Client
    name: str
    url: str
    is_rootless: bool
    has_selinux: bool
    kernel: str = ""
    """The release of the kernel that its containers have."""

    def __str__(self) -> str:
        return f"{self.name} at {self.url}"

    @property
    def major(self) -> int:
        """Of its version; that of a development build counts as the newest."""
        found = re.match(r"\d+", self.name.partition(" ")[2])
        return int(found[0]) if found else sys.maxsize

    @property
    def is_podman(self) -> bool:
        return self.name.startswith("Podman")

    @property
    def host(self) -> str:
        """The name by which containers call the machine that the engine's user is at."""
        return "host.containers.internal" if self.is_podman else "host.docker.internal"

    @property
    def bridge(self) -> str:
        """The network of a container that says none."""
        return "podman" if self.is_podman else "bridge"

    @property
    def names(self) -> dict[str, str]:
        """What containers have to be told of that name. Podman tells them by itself."""
        return {} if self.is_podman else {self.host: "host-gateway"}

    @property
    def is_here(self) -> bool:
        """Whether it is on this machine, or in a virtual machine of it that shares its folders."""
        parts = urlsplit(self.url)
        return parts.scheme in ("unix", "npipe", "http+unix") or is_loopback(parts.hostname)

    @property
    def may_have_other_folders(self) -> bool:
        """Whether a path may be another folder there: of another machine, or of a virtual one, which has a kernel of its own."""
        return not self.is_here or self.kernel not in ("", platform.release())


class _Place(NamedTuple):
    what: str
    url: str
    tls: Any = None


def engine_of(environ: Mapping[str, str] = os.environ) -> Engine:
    """The engine that the environment says, else the first that answers. Raises FatalError with every place."""
    return _engine_of(tuple((name, environ.get(name, "")) for name in _VARIABLES))


_VARIABLES = (
    *("DOCKER_HOST", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH", "DOCKER_CONTEXT", "DOCKER_CONFIG"),
    *("CONTAINER_HOST", "XDG_RUNTIME_DIR", "HOME"),
)


@lru_cache(1)
def _engine_of(variables: tuple[tuple[str, str], ...]) -> Engine:
    with extra("a container", "docker"):
        import docker.errors  # noqa: F401 - whether it is there
    looked = []
    for place in _places({name: value for name, value in variables if value}):
        try:
            return _connected(place)
        except Exception as exc:  # noqa: BLE001 - of the engine, of SSH, of TLS: the next place may do
            looked.append(f"{place.what} ({place.url}): {_why(exc)}")
    places = "".join(f"\n    {line}" for line in looked) or "\n    none of the usual sockets is there"
    hint = "start Docker, Podman or Colima; or set DOCKER_HOST"
    raise FatalError(f"no container engine answers:{places}", hint=hint, code=Code.NO_ENGINE)


def _places(environ: Mapping[str, str]) -> Iterator[_Place]:
    """Where an engine may be; where somebody has said where, only there."""
    if "DOCKER_HOST" in environ:
        from docker.utils import kwargs_from_env

        found = kwargs_from_env(environment=dict(environ))
        yield _Place("DOCKER_HOST", found.get("base_url") or environ["DOCKER_HOST"], found.get("tls"))
        return
    if (context := _context(environ.get("DOCKER_CONTEXT"))) is not None:
        yield context
        return
    if "CONTAINER_HOST" in environ:
        yield _Place("CONTAINER_HOST", environ["CONTAINER_HOST"])
        return
    home, own = (
        Path(environ.get("HOME", "/nonexistent")),
        Path(environ.get("XDG_RUNTIME_DIR", "/nonexistent")),
    )
    sockets = (
        Path("/var/run/docker.sock"),
        own / "docker.sock",
        home / ".docker/run/docker.sock",
        home / ".docker/desktop/docker.sock",
        home / ".colima/default/docker.sock",
        home / ".config/colima/default/docker.sock",
        home / ".rd/docker.sock",
        home / ".orbstack/run/docker.sock",
        own / "podman/podman.sock",
        home / ".local/share/containers/podman/machine/podman.sock",
        Path("/run/podman/podman.sock"),
    )
    yield from (_Place("a socket", f"unix://{socket}") for socket in sockets if socket.exists())


def _context(name: str | None) -> _Place | None:
    """The context that the `docker` command would take, unless that is the default."""
    from docker.context import ContextAPI
    from docker.context.config import get_current_context_name

    name = name or get_current_context_name()
    if name == "default":
        return None
    context = ContextAPI.get_context(name)
    if context is None:
        raise FatalError(
            f"there is no Docker context {name!r}", hint="see: docker context ls", code=Code.NO_ENGINE
        )
    return _Place(f"the context {name!r}", context.Host, context.TLSConfig)


def _connected(place: _Place) -> Engine:
    from windlass.runtimes.docker.client import Client

    if (path := place.url.removeprefix("unix://")) != place.url:
        with socket.socket(socket.AF_UNIX) as probe:  # the client leaves one open where nobody listens
            probe.connect(path)
    client = Client(
        base_url=place.url,
        version="auto",
        timeout=_SECONDS_TO_CONNECT,
        tls=place.tls or False,
        use_ssh_client=place.url.startswith("ssh://"),
        max_pool_size=_CONNECTIONS,
    )
    version, info = client.version(), client.info()
    options = info.get("SecurityOptions") or []
    client.timeout = _SECONDS
    component = (version.get("Components") or [{"Name": "Engine"}])[0]["Name"]
    kind = "Podman" if "podman" in component.lower() else "Docker"
    return Engine(
        client,
        f"{kind} {version['Version']}",
        place.url,
        is_rootless=any("rootless" in option for option in options),
        has_selinux=any("selinux" in option for option in options),
        kernel=info.get("KernelVersion") or "",
    )


@contextmanager
def telling(what: str) -> Iterator[None]:
    """Says what the engine refuses, or that it is gone, as an error of ours. `what` could not be done."""
    from docker.errors import APIError, DockerException
    from requests.exceptions import RequestException

    try:
        yield
    except APIError as exc:
        hint = SEE_DOCTOR if _NO_FOLDER in _why(exc) else None
        raise FatalError(f"cannot {what}: {_why(exc)}", hint=hint) from exc
    except (DockerException, RequestException, OSError) as exc:
        raise RetryableError(f"cannot {what}: {_why(exc)}", code=Code.NO_ENGINE) from exc


def _why(exc: BaseException) -> str:
    if isinstance(exc, FatalError):
        return exc.message
    if told := getattr(exc, "explanation", None):
        return str(told).strip().splitlines()[0]
    system = next(_system_errors(exc, set()), None)
    return reason_of(exc if system is None else system).strip().splitlines()[0]


def _system_errors(exc: object, seen: set[int]) -> Iterator[OSError]:
    """What the system said, below what the library, and those below it, made of that."""
    if not isinstance(exc, BaseException) or id(exc) in seen:
        return
    seen.add(id(exc))
    if isinstance(exc, OSError) and exc.strerror:
        yield exc
    for inner in (*exc.args, exc.__cause__, exc.__context__):
        yield from _system_errors(inner, seen)
