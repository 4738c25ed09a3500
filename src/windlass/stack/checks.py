"""What has to be there before the stack starts: packages, memory, free ports. Each said plainly, with what to do."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from windlass.errors import Code, FatalError, MissingExtraError
from windlass.ports import why_not_free
from windlass.units import size

__all__ = ["available_memory", "check_memory", "check_packages", "check_port"]

_AIRFLOW_NEEDS, _PGADMIN_NEEDS, _WORKER_NEEDS = (
    1_000 * 10**6,
    250 * 10**6,
    250 * 10**6,
)  # measured idle: 0.75, 0.15 and 0.23 GB; tasks come on top


def check_packages(*, pgadmin: bool, celery: bool = False) -> None:
    """Raises MissingExtraError that names what to install."""
    for package, extra, what, wanted in (
        ("apache-airflow", "airflow", "Airflow", True),
        ("pgadmin4", "pgadmin", "pgAdmin", pgadmin),
        ("apache-airflow-providers-celery", "celery", "Celery", celery),
    ):
        try:
            if wanted:
                version(package)
        except PackageNotFoundError as exc:
            raise MissingExtraError(what, extra) from exc


def check_memory(available: int | None, *, pgadmin: bool, workers: int = 0) -> None:
    """Raises FatalError when less is available than the stack takes."""
    beside = (_PGADMIN_NEEDS if pgadmin else 0) + workers * _WORKER_NEEDS
    needed = _AIRFLOW_NEEDS + beside
    if available is None or available >= needed:
        return
    extras = [("--pgadmin", "pgAdmin")] if pgadmin else []
    extras += (
        [("--executor celery", f"{workers} Celery worker{'' if workers == 1 else 's'}")] if workers else []
    )
    without = " and ".join(option for option, _ in extras)
    enough = extras and available >= _AIRFLOW_NEEDS
    hint = f"try it without {without}" if enough else "`windlass run PIPELINE` needs no Airflow"
    *most, last = ["Airflow", *(name for _, name in extras)]
    what = f"{', '.join(most)} and {last} need" if most else f"{last} needs"
    raise FatalError(f"{what} {size(needed)} of memory, {size(available)} are free", hint=hint)


def available_memory(
    meminfo: Path = Path("/proc/meminfo"), cgroup: Path = Path("/sys/fs/cgroup")
) -> int | None:
    """Bytes that can be had without swapping, of the machine or of the container; None where nobody says."""
    found = []
    try:
        lines = dict(line.split(":", 1) for line in meminfo.read_text().splitlines() if ":" in line)
        found.append(int(lines["MemAvailable"].split()[0]) * 1024)
    except (OSError, KeyError, ValueError):
        pass
    try:
        limit = int((cgroup / "memory.max").read_text())
        found.append(max(limit - int((cgroup / "memory.current").read_text()), 0))
    except (OSError, ValueError):  # `max`: there is no limit
        pass
    return min(found, default=None)


def check_port(port: int, what: str, option: str) -> None:
    """Raises FatalError when somebody listens there already."""
    if why := why_not_free(port):
        hint = f"choose another: windlass up {option} {port + 1}" if port < 65535 else None
        raise FatalError(f"port {port}, for {what}, {why}", hint=hint, code=Code.PORT_TAKEN)
