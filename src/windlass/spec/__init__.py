"""YAML files to frozen models with positions. Knows nothing of what the models mean to a run."""

from windlass.spec.files import PipelineFile, ProjectFiles, load_pipeline, load_project

__all__ = ["PipelineFile", "ProjectFiles", "load_pipeline", "load_project"]
