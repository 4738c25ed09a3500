"""What events of OpenLineage tell besides who, when and what: facets, of its generated models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from openlineage.client import facet_v2 as facets
from openlineage.client.event_v2 import InputDataset, OutputDataset

from windlass import __version__, logs
from windlass.observers.openlineage.naming import Named
from windlass.plan.model import Action, Copy, Plan, SelectColumn, Sql
from windlass.runner.history import Run, TaskRun

__all__ = ["inputs_of", "job_facets", "outputs_of", "run_facets"]


def run_facets(run: Run, error: str | None) -> dict[str, facets.RunFacet]:
    """Those of a run, and of a task in it."""
    found: dict[str, facets.RunFacet] = {
        "processing_engine": facets.processing_engine_run.ProcessingEngineRunFacet(
            version=__version__, name="windlass"
        )
    }
    if run.interval_start:
        found["nominalTime"] = facets.nominal_time_run.NominalTimeRunFacet(
            run.interval_start, run.interval_end
        )
    if error is not None:
        found["errorMessage"] = facets.error_message_run.ErrorMessageRunFacet(error, "python")
    return found


def job_facets(
    plan: Plan, kind: str, description: str, action: Action | None = None
) -> dict[str, facets.JobFacet]:
    """Those of a pipeline, or of a task."""
    found: dict[str, facets.JobFacet] = {
        "jobType": facets.job_type_job.JobTypeJobFacet(
            processingType="BATCH", integration="WINDLASS", jobType=kind
        )
    }
    if description:
        found["documentation"] = facets.documentation_job.DocumentationJobFacet(description)
    if plan.owner:
        found["ownership"] = facets.ownership_job.OwnershipJobFacet([facets.ownership_job.Owner(plan.owner)])
    if isinstance(action, Sql):
        found["sql"] = facets.sql_job.SQLJobFacet(logs.mask(action.statement))
    return found


def inputs_of(names: Sequence[Named], task: TaskRun) -> list[InputDataset]:
    """What a task has read. Its numbers are those of all of it, so they are told where there is but one."""
    told: dict[str, Any] = {}
    if len(names) == 1 and task.rows_read is not None:
        statistics = facets.input_statistics_input_dataset.InputStatisticsInputDatasetFacet
        told["inputStatistics"] = statistics(rowCount=task.rows_read)
    checks = task.detail.get("checks")
    if checks:
        told["dataQualityAssertions"] = _assertions(checks)
    return [InputDataset(*name, inputFacets=dict(told)) for name in names]


def _assertions(checks: Sequence[Mapping[str, Any]]) -> Any:
    module = facets.data_quality_assertions_dataset
    return module.DataQualityAssertionsDatasetFacet(
        [module.Assertion(assertion=str(check["check"]), success=bool(check["passed"])) for check in checks]
    )


def outputs_of(
    names: Sequence[Named], inputs: Sequence[Named], action: Action, task: TaskRun
) -> list[OutputDataset]:
    """What a task has written."""
    select = action.select if isinstance(action, Copy) else ()
    described: dict[str, Any] = {}
    if select:
        described["schema"] = _schema(select)
        if len(inputs) == 1:
            described["columnLineage"] = _lineage(select, inputs[0])
    told: dict[str, Any] = {}
    if task.rows_written is not None:
        statistics = facets.output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet
        told["outputStatistics"] = statistics(rowCount=task.rows_written, size=task.bytes)
    return [OutputDataset(*name, facets=dict(described), outputFacets=dict(told)) for name in names]


def _schema(select: Sequence[SelectColumn]) -> Any:
    module = facets.schema_dataset
    fields = [module.SchemaDatasetFacetFields(name=column.name, type=column.type) for column in select]
    return module.SchemaDatasetFacet(fields)


def _lineage(select: Sequence[SelectColumn], source: Named) -> Any:
    module = facets.column_lineage_dataset

    def of(column: SelectColumn) -> Any:
        how = module.Transformation(type="DIRECT", subtype="TRANSFORMATION" if column.type else "IDENTITY")
        return module.Fields([module.InputField(*source, column.source, [how])])

    return module.ColumnLineageDatasetFacet({column.name: of(column) for column in select})
