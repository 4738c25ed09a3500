"""The model of a pipeline file: a DAG of tasks, when it runs, and with which parameters."""

from __future__ import annotations

from typing import Annotated, Literal, Self, TypeAlias

from pydantic import ConfigDict, Discriminator, Field, model_validator
from pydantic import Tag as Option

from windlass.options import Duration
from windlass.spec.commands import Run, Service
from windlass.spec.copy import Copy
from windlass.spec.entries import Entries, ForEach
from windlass.spec.fields import FilledName, Group, Name, OneOrMany, Owner, Runtime, Start, Tag
from windlass.spec.kinds import Check, Download, Kind, Notify, Sql, Trigger
from windlass.spec.model import Model, refusal
from windlass.spec.runtimes import PipelineOnKubernetes, TaskOnKubernetes

__all__ = ["KINDS", "Assets", "Defaults", "Param", "Pipeline", "Task", "TriggerRule", "WithinTime"]

Param: TypeAlias = str | int | float | bool | None

TriggerRule: TypeAlias = Literal[
    "all_success", "all_failed", "all_done", "one_success", "one_failed", "none_failed"
]

KINDS = ("copy", "sql", "run", "download", "check", "notify", "trigger", "service")


class Defaults(Model):
    """What every task of the pipeline has unless it says otherwise."""

    retries: int = Field(default=0, ge=0, le=100)
    """How many times a failed task is tried again."""

    retry_delay: Duration = 30.0
    """How long to wait before the first retry."""

    backoff: float = Field(default=2.0, ge=1.0, le=10.0)
    """What each further wait is multiplied by; 1 keeps the delay constant. At most one hour."""

    timeout: Duration | None = None
    """How long one attempt may take before it is stopped and counts as failed."""

    pool: Name | None = None
    """The pool that tasks take a slot of while they run. Services take none."""

    runtime: Runtime | None = None
    """What executes `run` and `service` tasks under `windlass run`: `process` or `docker`. Default: as `runtimes.default` in windlass.yaml says."""


class Task(Model):
    """A node of the DAG. Has exactly one of the kinds."""

    model_config = ConfigDict(
        json_schema_extra={
            "oneOf": [{"required": [kind], "properties": {kind: {"type": "object"}}} for kind in KINDS]
        }
    )

    description: str = ""
    """What the task is for; shown by `windlass graph` and in the report."""

    for_each: ForEach | None = None
    """Makes one task of each entry, side by side, named by the task and the entry; templates know it as `each`. To need the
    task is to need all of them. With `of` the entries are what another task of the pipeline writes."""

    needs: OneOrMany[FilledName] = []
    """The tasks that must succeed first. A task named in a template is needed without saying."""

    trigger_rule: TriggerRule = "all_success"
    """What must have become of the tasks that it needs, in Airflow's words."""

    uses: OneOrMany[Name] = []
    """The services that must be up while this task runs."""

    retries: int | None = Field(default=None, ge=0, le=100)
    """Overrides `defaults.retries`."""

    retry_delay: Duration | None = None
    """Overrides `defaults.retry_delay`."""

    backoff: float | None = Field(default=None, ge=1.0, le=10.0)
    """Overrides `defaults.backoff`."""

    timeout: Duration | None = None
    """Overrides `defaults.timeout`."""

    pool: Name | None = None
    """Overrides `defaults.pool`."""

    group: Group | None = None
    """The group that it is shown in; `load.raw` is the group `raw` inside `load`."""

    inlets: OneOrMany[str] = []
    """Assets that it reads, besides those that `copy` and `check` name."""

    outlets: OneOrMany[str] = []
    """Assets that it writes, besides those that `copy` and `download` name."""

    on_failure: OneOrMany[Name] = []
    """The connections that are told when the task has failed, after its last try; once, also if the pipeline names them, too."""

    on_success: OneOrMany[Name] = []
    """The connections that are told when the task has succeeded."""

    on_recovery: OneOrMany[Name] = []
    """The connections that are told of the first success after a failure that was told."""

    kubernetes: TaskOnKubernetes = TaskOnKubernetes()
    """How it runs on Kubernetes."""

    copy_: Copy | None = Field(default=None, alias="copy")
    """Copy rows from a source to a destination, exactly once."""

    sql: Sql | None = None
    """Run SQL on a connection, or on DuckDB over files."""

    run: Run | None = None
    """Run a command: a step in any language."""

    download: Download | None = None
    """Download a file over HTTP."""

    check: Check | None = None
    """Assert that data is as expected."""

    notify: Notify | None = None
    """Tell somebody what the data says."""

    trigger: Trigger | None = None
    """Run another pipeline of the project."""

    service: Service | None = None
    """Run a command in the background for the tasks that use it."""

    @property
    def kind(self) -> str:
        """Which of the kinds this task is."""
        return self._present()[0]

    @property
    def action(self) -> Kind:
        """The model under the kind's key."""
        action: Kind = getattr(self, "copy_" if self.kind == "copy" else self.kind)
        return action

    @property
    def each(self) -> Entries | None:
        """The entries that another task writes, if there is one of each."""
        return self.for_each if isinstance(self.for_each, Entries) and self.for_each.of else None

    def _present(self) -> list[str]:
        return [k for k in KINDS if getattr(self, "copy_" if k == "copy" else k) is not None]

    @model_validator(mode="after")
    def _exactly_one_kind(self) -> Self:
        present = self._present()
        if not present:
            raise refusal(f"a task needs one of {', '.join(map('`{}`'.format, KINDS))}")
        if len(present) > 1:
            raise refusal(
                f"a task is of one kind, and this one has {' and '.join(map('`{}`'.format, present))}"
            )
        return self

    @model_validator(mode="after")
    def _kinds_take_what_stands_beside_them(self) -> Self:
        if self.service and self.trigger_rule != "all_success":
            raise refusal("a service starts with the tasks that use it, and takes no `trigger_rule`")
        if self.service and self.pool:
            raise refusal("a service takes no slot of a pool")
        if self.service and self.each:
            raise refusal("a service takes no `for_each` with `of`: it is there before the entries are")
        if self.trigger and self.each:
            raise refusal(
                "a `trigger` takes no `for_each` with `of`: a pipeline has one run for a date, and not one of each entry"
            )
        return self


class WithinTime(Model):
    """How often a pipeline has to succeed."""

    within: Duration
    """The longest time since its last success."""


class Assets(Model):
    """A schedule by data: the pipeline runs when all of its assets were written since its last run."""

    assets: OneOrMany[str] = Field(min_length=1)
    """Assets that tasks of the project write: `CONNECTION.TABLE`, or the path of a file."""


def _form(value: object) -> str | None:
    if isinstance(value, str):
        return "[text]"
    return "[mapping]" if isinstance(value, dict | Assets) else None


class Pipeline(Model):
    """One pipeline file."""

    pipeline: FilledName
    """The name of the pipeline; also the DAG id, the CronWorkflow's name and so on. With `for_each` a template of it, such as
    `weather_{{ each.city }}`."""

    for_each: ForEach | None = None
    """Makes one pipeline of each entry; templates, in every key, know it as `each`."""

    description: str = ""
    """What the pipeline is for."""

    owner: Owner = ""
    """Who looks after it, such as a team. Default: the `owner` of the project."""

    tags: OneOrMany[Tag] = []
    """Labels to find it by."""

    schedule: Annotated[
        Annotated[str, Option("[text]")] | Annotated[Assets, Option("[mapping]")],
        Discriminator(
            _form,
            custom_error_type="schedule",
            custom_error_message="expected text, or a mapping with `assets`; of several schedules, `for_each` makes a pipeline each",
        ),
    ] = "none"
    """When it runs: a cron expression, `@hourly`, `@daily`, `@weekly`, `@monthly`, `@quarterly`, `@yearly`, `@once`, `none`, or `{assets: […]}`."""

    timezone: str = "UTC"
    """The IANA time zone in which the schedule is meant."""

    start: Start | None = None
    """The first logical date of the schedule."""

    catchup: bool = False
    """Whether a scheduler makes up for the runs since `start` that it missed."""

    concurrency: Literal["forbid", "allow", "replace"] = "forbid"
    """Whether the pipeline may run while an earlier run of it is still going. With `replace` the new one takes the place of the earlier on Kubernetes and Argo; elsewhere it is as with `forbid`."""

    timeout: Duration | None = None
    """How long a run may take, retries and the waits between them included; then it is stopped, and has failed. A run that is taken up again has all of it once more."""

    params: dict[Name, Param] = Field(default_factory=dict)
    """Parameters and their defaults; a run may set others of the same type. A `null` takes any."""

    defaults: Defaults = Defaults()
    """What every task has unless it says otherwise."""

    on_failure: OneOrMany[Name] = []
    """The connections that are told when a run has failed: once a run, with every task that failed and why."""

    on_success: OneOrMany[Name] = []
    """The connections that are told when a run has succeeded."""

    on_recovery: OneOrMany[Name] = []
    """The connections that are told of the first success after a failure that was told."""

    freshness: WithinTime | None = None
    """How often it has to succeed; `windlass freshness` looks."""

    on_missed: OneOrMany[Name] = []
    """The connections that are told, once, when it has not succeeded within that time."""

    kubernetes: PipelineOnKubernetes = PipelineOnKubernetes()
    """How it runs on Kubernetes."""

    tasks: dict[Name, Task] = Field(min_length=1)
    """The tasks, by name."""
