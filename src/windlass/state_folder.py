"""Where windlass keeps what it remembers of a project: the layout of `.windlass/`.

.windlass/
  state.db             runs, task runs and attempts (SQLite)
  report.html          the latest report of several runs
  runs/RUN_ID/         plan.json, versions.json, logs/, quarantine/, report.html, lock
  dev/NAME/            the data of a dev service
  up/                  what `windlass up` runs
  envs/                environments of Python and Node.js steps
  tmp/                 what a copy spills; empty when nothing runs
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

__all__ = ["RunFolder", "StateFolder"]


@dataclass(frozen=True)
class RunFolder:
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

    def log(self, task: str, attempt: int) -> Path:
        return self.path / "logs" / f"{task}.{attempt}.jsonl"

    def quarantine(self, task: str, part: str = "") -> Path:
        """Where the bad rows wait; those of a part, such as `2/4`, in a file of its own."""
        name = f"{task}.{part.replace('/', '-of-')}" if part else task
        return self.path / "quarantine" / f"{name}.ndjson"


@dataclass(frozen=True)
class StateFolder:
    """The `.windlass` folder of a project."""

    path: Path

    @classmethod
    def of(cls, project: Path) -> StateFolder:
        """The state folder of a project; it is created when it is missing, and keeps itself out of git."""
        folder = cls(project / ".windlass")
        folder.path.mkdir(parents=True, exist_ok=True)
        ignore = folder.path / ".gitignore"
        if not ignore.exists():
            ignore.write_text("*\n")
        return folder

    @property
    def database(self) -> Path:
        return self.path / "state.db"

    @property
    def report(self) -> Path:
        """Of several runs; that of one run is in its folder."""
        return self.path / "report.html"

    @property
    def environments(self) -> Path:
        return self.path / "envs"

    @property
    def scratch(self) -> Path:
        return self.path / "tmp"

    def run(self, run_id: str) -> RunFolder:
        return RunFolder(self.path / "runs" / run_id)

    def dev_service(self, name: str) -> Path:
        return self.path / "dev" / name
