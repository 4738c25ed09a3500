"""YAML files to frozen models with positions. Knows nothing of what the models mean to a run."""

from windlass.spec.files import PipelineFile, ProjectFiles, load_pipelines, load_project, load_project_file

__all__ = ["PipelineFile", "ProjectFiles", "load_pipelines", "load_project", "load_project_file"]
