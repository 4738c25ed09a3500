"""The JSON Schema of the kinds of file, for editors that complete and check YAML.

Descriptions are the docstrings under the attributes of the models. They are read here, from the
source, and not by pydantic (`use_attribute_docstrings`), which would parse the source of every model
each time that windlass starts.
"""

from __future__ import annotations

from typing import Any, Literal

from windlass import options
from windlass.attribute_docs import attribute_docs
from windlass.spec.model import Model
from windlass.spec.pipeline import Pipeline
from windlass.spec.project import Project

__all__ = ["documentation", "json_schema", "schema_of"]

_SPEC = "windlass.spec."  # a file of another kind may have a model of the same name
_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def json_schema(of: Literal["pipeline", "project"]) -> dict[str, Any]:
    """The schema of a pipeline file, or of `windlass.yaml` (JSON Schema draft 2020-12)."""
    return schema_of(Pipeline if of == "pipeline" else Project, _SPEC)


def schema_of(model: type[Model], *packages: str) -> dict[str, Any]:
    """The schema of a model and of those within it, which are all of these packages."""
    schema = model.model_json_schema(by_alias=True, mode="validation")
    models = {m.__name__: m for m in _all_models(Model) if m.__module__.startswith(packages)}
    for name, definition in (*schema.get("$defs", {}).items(), (model.__name__, schema)):
        for key, text in documentation(models[name]).items():
            definition["properties"][key]["description"] = text
    _close(schema)
    return {"$schema": _DIALECT, **schema}


def _close(schema: object) -> None:
    """A mapping whose keys have a pattern takes no other keys; pydantic leaves that open."""
    for value in schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ():
        _close(value)
    if isinstance(schema, dict) and isinstance(patterns := schema.get("patternProperties"), dict):
        del schema["patternProperties"]
        ((pattern, values),) = patterns.items()
        schema |= {"propertyNames": {"pattern": pattern}, "additionalProperties": values}


def documentation(model: type[Any]) -> dict[str, str]:
    """What each key of a model, or of options, means: key to docstring, inherited keys included."""
    if issubclass(model, options.Options):
        return options.documentation(model)
    texts: dict[str, str] = {}
    for cls in reversed(model.__mro__):
        if issubclass(cls, Model) and cls is not Model:
            texts.update(attribute_docs(cls))
    return {field.alias or name: texts[name] for name, field in model.model_fields.items()}


def _all_models(cls: type[Model]) -> list[type[Model]]:
    return [cls, *(found for sub in cls.__subclasses__() for found in _all_models(sub))]
