"""The keys of a connection to Spark."""

from __future__ import annotations

from windlass.connectors.options import ConnectionOptions

__all__ = ["Connection"]


class Connection(ConnectionOptions):
    """A cluster that is reached by Spark Connect."""

    python: str | None = None
    """The Python that has windlass on the machines of the cluster, such as `/opt/windlass/bin/python`, or
    `environment/bin/python` of an `environment`. Default: the one that Spark itself starts there."""

    environment: str | None = None
    """An archive with such a Python and windlass (of conda-pack or venv-pack), which Spark unpacks as the folder `environment`
    on every machine. The whole path of a file of the machine that the task runs on."""

    def refusal(self) -> str | None:
        if self.environment is not None and self.python is None:
            return (
                "`environment` needs `python`, the path of the Python in it, such as `environment/bin/python`"
            )
        if self.environment is not None and not self.environment.startswith("/"):
            return (
                f"`environment` is the whole path of a file, and {self.environment!r} does not begin with /"
            )
        return None
