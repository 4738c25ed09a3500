"""A Helm chart of the manifests: what differs from one cluster to the next is a value, and all else stands there as it is.

With the values that it comes with, the chart makes the objects that the plain manifests have, in the namespace of the release.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from pathlib import PurePosixPath

from windlass import __version__
from windlass.targets.pods.exported import ExportedPipeline
from windlass.targets.pods.manifests import manifests
from windlass.targets.pods.names import dns_name
from windlass.targets.pods.settings import Json

__all__ = ["chart_of", "with_values"]

_BRACES = '{{ "{{" }}'  # what Helm makes two braces of: plans are full of templates of ours
_STAND_IN = re.compile('"\ue000([0-9]+)\ue001"')


class Values:
    """The values of a chart, and what stands for them in its templates until these are text."""

    def __init__(self) -> None:
        self.images: dict[str, str] = {}
        self.pipelines: dict[str, Json] = {}
        self._expressions: list[str] = []

    def image(self, reference: str) -> str:
        """Stand in for an image, which is a value once for all."""
        name = PurePosixPath(reference.partition("@")[0]).name.partition(":")[0]
        if self.images.setdefault(name, reference) != reference:
            name = reference
            self.images[name] = reference
        return self.stand_in(f'index .Values.images "{name}" | quote')

    def of(self, pipeline: str, key: str, value: object) -> str:
        """Stand in for a value of a pipeline."""
        self.pipelines.setdefault(pipeline, {})[key] = value
        return self.stand_in(f'index .Values.pipelines "{pipeline}" "{key}" | toJson')

    def resources(self, pipeline: str, container: str, value: Json) -> str:
        """Stand in for the resources of a container."""
        self.pipelines.setdefault(pipeline, {}).setdefault("resources", {})[container] = value
        return self.stand_in(f'index .Values.pipelines "{pipeline}" "resources" "{container}" | toJson')

    def stand_in(self, expression: str) -> str:
        """Text that no template has, for an expression."""
        self._expressions.append(expression)
        return f"\ue000{len(self._expressions) - 1}\ue001"

    def filled(self, text: str) -> str:
        """The text of a template, with its expressions."""
        text = text.replace("{{", _BRACES)
        return _STAND_IN.sub(lambda found: f"{{{{ {self._expressions[int(found[1])]} }}}}", text)


def with_values(
    objects: Mapping[ExportedPipeline, list[Json]], values: Values
) -> dict[ExportedPipeline, list[Json]]:
    """The objects, in which values have what stands in for them."""
    return {
        pipeline: [_templated(one, pipeline.name, values) for one in found]
        for pipeline, found in objects.items()
    }


def chart_of(project: str, templates: Mapping[str, str], values: Values) -> dict[str, str]:
    """The files of the chart. `templates` are the manifests by the names of their files."""
    about = {
        "apiVersion": "v2",
        "name": dns_name(project),
        "description": f"The pipelines of {project}",
        "type": "application",
        "version": "0.1.0",
        "appVersion": __version__,
    }
    by = "by windlass export kubernetes --form helm"
    told = f"Of the chart {about['name']}, {by}: give others with helm install --values, or --set."
    return {
        "Chart.yaml": manifests(f"The pipelines, {by}: edit the project, and export again.", [about]),
        "values.yaml": manifests(told, [{"images": values.images, "pipelines": values.pipelines}]),
        **{f"templates/{name}": values.filled(text) for name, text in templates.items()},
    }


def _templated(one: Json, name: str, values: Values) -> Json:
    found = copy.deepcopy(one)
    found["metadata"].pop("namespace", None)
    called = {
        "name": found["metadata"].pop("name"),
        "namespace": values.stand_in(".Release.Namespace | quote"),
    }
    found["metadata"] = called | found["metadata"]
    if found["kind"] == "CronJob":
        spec = found["spec"]
        of_schedule = {
            "schedule": spec.pop("schedule"),
            "timeZone": spec.pop("timeZone"),
            "suspend": spec.pop("suspend", False),
        }
        found["spec"] = {key: values.of(name, key, value) for key, value in of_schedule.items()} | spec
        _template_pod(spec["jobTemplate"]["spec"]["template"]["spec"], name, values)
    elif found["kind"] == "Job":
        _template_pod(found["spec"]["template"]["spec"], name, values)
    return found


def _template_pod(pod: Json, name: str, values: Values) -> None:
    for container in (*pod.get("initContainers", ()), *pod["containers"]):
        container["image"] = values.image(container["image"])
        container["resources"] = values.resources(name, container["name"], container.get("resources", {}))
