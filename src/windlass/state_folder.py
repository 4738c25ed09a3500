"""Where windlass keeps what it remembers of a project: the layout of `.windlass/`.

.windlass/
  state.db             runs, task runs and attempts (SQLite)
  report.html          the latest report of several runs
  docs/                the pages of `windlass docs`
  runs/RUN_ID/         plan.json, versions.json, logs/, quarantine/, entries/, shared/, report.html, lock
  dev/NAME/            the data of a dev service
  up/                  what `windlass up` runs
  images.json          what images were built of
  plans/               the plan of each pipeline as it was last run
  versions.json        what is installed, as the last run has found out
  envs/                environments of Python and Node.js steps
  tmp/                 what a copy spills; empty when nothing runs

Rows and what steps print are nobody else's business: others of this machine cannot look into it, whatever the umask.
Where root runs it they may pass through, and not look around: a dev Postgres has its data there, as `nobody`.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path

from msgspec import Struct

from windlass.errors import Code, FatalError, naming
from windlass.file_names import fitting

__all__ = ["STATE", "RunFolder", "StateFolder", "close_to_others"]

STATE = "WINDLASS_STATE"
"""Names the folder that a run which another has triggered takes in the place of the project's: that of a case."""


class RunFolder(Struct, frozen=True):
    """What one run leaves behind."""

    path: Path

    @property
    def lock(self) -> Path:
        """Held by the process that runs it, as long as it lives."""
        return self.path / "lock"

    @property
    def plan(self) -> Path:
        return self.path / "plan.json"

    @property
    def versions(self) -> Path:
        return self.path / "versions.json"

    @property
    def report(self) -> Path:
        return self.path / "report.html"

    @property
    def shared(self) -> Path:
        """What its tasks keep together, such as how often they have asked an API."""
        return self.path / "shared"

    def entries(self, task: str) -> Path:
        """Which entries there are of a task that is one of each, once that is settled."""
        return self.path / "entries" / f"{task}.json"

    def log(self, task: str, attempt: int) -> Path:
        return self.path / "logs" / f"{task}.{attempt}.jsonl"

    def quarantine(self, task: str, part: str = "") -> Path:
        """Where the bad rows wait; those of a part, such as `2/4`, in a file of its own."""
        name = f"{task}.{part.replace('/', '-of-')}" if part else task
        return self.path / "quarantine" / f"{name}.ndjson"


class StateFolder(Struct, frozen=True):
    """The `.windlass` folder of a project."""

    path: Path
    made: Path | None = None
    """Where what is made of the files of the project is, if elsewhere."""

    @classmethod
    def of(cls, project: Path) -> StateFolder:
        """The state folder of a project; it is created when it is missing, and keeps itself out of git. Raises
        FatalError where something else is in its place.
        """
        own, given = project / ".windlass", os.environ.get(STATE)
        folder = cls(Path(given), own) if given else cls(own)
        try:
            folder.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        except FileExistsError as exc:
            hint = "remove it; windlass keeps there what it remembers of past runs"
            raise FatalError(f"{folder.path} is not a folder", hint=hint, code=Code.STATE) from exc
        close_to_others(folder.path, may_pass=os.geteuid() == 0)
        for inner in (folder.scratch, folder.runs):
            inner.mkdir(mode=0o700, exist_ok=True)
            close_to_others(inner)
        _make_private(folder.database)
        ignore = folder.path / ".gitignore"
        if not ignore.exists():
            with naming(ignore):
                ignore.write_text("*\n")
        return folder

    @property
    def runs(self) -> Path:
        return self.path / "runs"

    @property
    def database(self) -> Path:
        return self.path / "state.db"

    @property
    def report(self) -> Path:
        """Of several runs; that of one run is in its folder."""
        return self.path / "report.html"

    @property
    def docs(self) -> Path:
        """The pages of all pipelines, where nobody says where else."""
        return self.path / "docs"

    @property
    def images(self) -> Path:
        """What images were built of."""
        return self.path / "images.json"

    @property
    def versions(self) -> Path:
        return self.path / "versions.json"

    @property
    def plans(self) -> Path:
        return self.path / "plans"

    @property
    def environments(self) -> Path:
        return (self.made or self.path) / "envs"

    @property
    def rehearsals(self) -> Path:
        """What the last rehearsal of each pipeline has left."""
        return self.path / "rehearsals"

    @property
    def scratch(self) -> Path:
        return self.path / "tmp"

    def run(self, run_id: str) -> RunFolder:
        """The folder of a run. Another scheduler may call it what no folder is called."""
        name = run_id.replace("/", "%2F")
        if name in (".", ".."):
            name = name.replace(".", "%2E")
        return RunFolder(self.runs / fitting(name))

    def dev_service(self, name: str) -> Path:
        return self.path / "dev" / name


def close_to_others(folder: Path, *, may_pass: bool = False) -> None:
    """Leave the folder to its owner, and to a group that somebody has let write there."""
    mode = stat.S_IMODE(folder.stat().st_mode)
    wanted = mode & ~(stat.S_IRWXO if mode & stat.S_IWGRP else stat.S_IRWXG | stat.S_IRWXO)
    wanted |= stat.S_IXGRP | stat.S_IXOTH if may_pass else 0
    if wanted != mode:
        with suppress(OSError):  # somebody else's, who decides
            folder.chmod(wanted)


def _make_private(file: Path) -> None:
    """Have the file there, for its owner only, before anybody writes into it."""
    with suppress(OSError):
        if not file.exists():
            os.close(os.open(file, os.O_CREAT | os.O_WRONLY, 0o600))
        elif (mode := stat.S_IMODE(file.stat().st_mode)) & stat.S_IRWXO:
            file.chmod(mode & ~stat.S_IRWXO)
