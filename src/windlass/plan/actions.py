"""From the kinds of the spec to the actions and units of the plan: what was written becomes what will be done."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from msgspec.structs import replace

from windlass import registry
from windlass.plan import model as plan
from windlass.spec import commands, kinds
from windlass.spec import copy as spec_copy
from windlass.spec.ends import CopyEnd
from windlass.spec.project import Connection, Project
from windlass.spec.runtimes import DockerRuntime

__all__ = ["action_of", "connection_of", "containers_of", "own_unit", "unit_of"]


def action_of(kind: kinds.Kind, included: dict[str, str]) -> plan.Action:
    """The action for a kind whose templates are already evaluated as far as they can be.

    `included` holds the text of the files that the kind names. Raises ValueError when one of them
    is not a JSON Schema.
    """
    match kind:
        case spec_copy.Copy():
            return _copy(kind, included)
        case kinds.Sql():
            statement = kind.statement if kind.statement is not None else included[str(kind.file)]
            return plan.Sql(connection=kind.connection, statement=statement, transaction=kind.transaction)
        case commands.Run():
            return plan.RunCommand(connections=tuple(kind.connections), references=_references(kind))
        case commands.Service():
            return plan.Service(connections=tuple(kind.connections), references=_references(kind))
        case kinds.Download():
            return plan.Download(**{**kind.model_dump(), "to": kind.to.path, "into": kind.to.connection})
        case kinds.Check():
            return _check(kind, included)
        case kinds.Notify():
            return plan.Notify(
                **_subject(kind),
                to=tuple(kind.to),
                message=kind.message,
                when=kind.when,
                each=kind.each,
                limit=kind.limit,
            )
        case kinds.Trigger():
            return plan.Trigger(pipeline=kind.pipeline, params=kind.params, wait=kind.wait)


def unit_of(
    kind: kinds.Kind, pipeline: str, task: str, runtime: str | None, project: Project
) -> plan.Unit | None:
    """What is started for a task of that kind; None for one that starts another pipeline. `runtime` is what shall
    execute what does not say.
    """
    has_image = project.images is not None and project.images.of_project is not None
    match kind:
        case commands.Command():
            unit = _unit(kind, runtime, project.libraries)
            is_its = has_image and unit.build is None and unit.container.image is None
            return replace(unit, container=replace(unit.container, of_project=True)) if is_its else unit
        case kinds.Trigger():
            return None
        case _:
            return own_unit(pipeline, task, runtime, has_image=has_image)


def own_unit(pipeline: str, task: str, runtime: str | None, *, has_image: bool) -> plan.Unit:
    """What is started for a task that windlass itself executes."""
    own = plan.Unit(own=True, command=("windlass", "exec", pipeline, task))
    if not has_image:
        return own
    return replace(own, runtime=runtime, container=plan.Container(of_project=True))


def connection_of(declared: Connection) -> plan.Connection:
    """A connection as the plan has it."""
    connector, settings = registry.require(declared.type), declared.settings
    address = settings.get(connector.address_key) if connector.address_key is not None else None
    return plan.Connection(
        type=declared.type,
        form=str(connector.form),
        address=address,
        settings=settings,
        dev=declared.dev,
    )


def containers_of(project: DockerRuntime) -> plan.Container:
    """What a project says of all its containers."""
    return plan.Container(
        mounts=tuple(plan.Mount(**mount.model_dump()) for mount in project.mounts),
        user=project.user,
        network=project.network,
        memory=project.memory,
        cpus=project.cpus,
    )


def _unit(kind: commands.Command, runtime: str | None, libraries: Mapping[str, str]) -> plan.Unit:
    unit = plan.Unit(
        build=_folder(kind.build) if kind.build else None,
        command=tuple(kind.command),
        env={name: value for name, value in kind.env.items() if isinstance(value, str)},
        runtime=kind.runtime or runtime,
        container=_container(kind, libraries),
    )
    if not isinstance(kind, commands.Service):
        return unit
    return replace(unit, port=kind.port, health=kind.health, ready_timeout=kind.ready_timeout)


def _folder(build: commands.Build) -> str:
    """The folder of a step: its Dockerfile's, which may be below the one that the image is built from."""
    below = PurePosixPath(build.dockerfile).parent
    return build.context if below == PurePosixPath() else str(PurePosixPath(build.context) / below)


def _container(kind: commands.Command, libraries: Mapping[str, str]) -> plan.Container:
    build, resources = kind.build or commands.Build(context=""), kind.resources
    return plan.Container(
        image=kind.image,
        context=build.context if kind.build and _folder(build) != build.context else None,
        dockerfile=build.dockerfile,
        target=build.target,
        args=build.args,
        libraries={name: libraries[name] for name in kind.libraries if name in libraries},
        mount=kind.mount,
        user=kind.user,
        network=kind.network,
        memory=resources.memory,
        cpus=resources.cpus,
        platform=kind.platform,
        pull=kind.pull,
    )


def _references(kind: commands.Command) -> dict[str, plan.Reference]:
    return {
        name: plan.Reference(**value.model_dump())
        for name, value in kind.env.items()
        if not isinstance(value, str)
    }


def _copy(kind: spec_copy.Copy, included: dict[str, str]) -> plan.Copy:
    return plan.Copy(
        source=plan.Source(**_end(kind.from_)),
        destination=plan.Destination(**_end(kind.to)),
        select=tuple(
            plan.SelectColumn(name=name, source=column.from_ or name, type=column.type)
            for name, column in kind.select.items()
        ),
        validate=plan.Validate(
            columns={name: _rules(rules) for name, rules in kind.validate_.columns.items()},
            json_schema=_json_schema(kind.validate_.json_schema, included),
        ),
        on_bad_row=kind.on_bad_row,
        max_bad_rows=kind.max_bad_rows,
        quarantine=plan.QuarantineTo(**kind.quarantine.model_dump()) if kind.quarantine else None,
        incremental=plan.Incremental(**kind.incremental.model_dump()) if kind.incremental else None,
        partition=plan.Partition(**kind.partition.model_dump()) if kind.partition else None,
        on_new_column=kind.on_new_column,
        on_missing_column=kind.on_missing_column,
        on_type_change=kind.on_type_change,
        engine=kind.engine,
    )


def _end(end: CopyEnd) -> dict[str, Any]:
    return {"connection": end.connection, "type": end.type or "", "options": end.options}


def _rules(rules: spec_copy.ColumnRules) -> plan.ColumnRules:
    values = rules.model_dump()
    accepted = values.pop("accepted")
    return plan.ColumnRules(**values, accepted=None if accepted is None else tuple(accepted))


def _subject(kind: kinds.Subject) -> dict[str, Any]:
    return {
        "connection": kind.connection,
        "table": kind.table,
        "query": kind.query,
        "path": kind.path,
        "source": plan.Source(**_end(kind.from_)) if kind.from_ else None,
    }


def _check(kind: kinds.Check, included: dict[str, str]) -> plan.Check:
    return plan.Check(
        **_subject(kind),
        rows=plan.RowCount(**kind.rows.model_dump()) if kind.rows else None,
        unique=tuple(tuple(columns) for columns in kind.unique),
        not_null=tuple(kind.not_null),
        accepted={column: tuple(values) for column, values in kind.accepted.items()},
        freshness=plan.Freshness(**kind.freshness.model_dump()) if kind.freshness else None,
        expressions=tuple(kind.expressions),
        json_schema=_json_schema(kind.json_schema, included),
    )


def _json_schema(file: str | None, included: dict[str, str]) -> plan.JsonSchema | None:
    if file is None:
        return None
    try:
        schema = json.loads(included[file])
    except ValueError as exc:
        raise ValueError(f"{file!r} is not JSON: {exc}") from exc
    if not isinstance(schema, dict):
        raise ValueError(f"{file!r} is not a JSON Schema: expected an object")  # noqa: TRY004 - the file, not the call
    return schema
