"""`windlass`, and `python -m windlass`: listens for requests to stop before anything else takes time."""

# the built-in module: its face in Python takes as long to import as all that is above it here
import _signal  # type: ignore[import-not-found]

_REQUESTS = (_signal.SIGINT, _signal.SIGTERM, _signal.SIGHUP)
_signal.pthread_sigmask(_signal.SIG_BLOCK, _REQUESTS)  # until somebody listens

from windlass.stopping import StoppedError, stop_when_asked


def main() -> None:
    """Run the command line, and end the process."""
    try:
        stop_when_asked()
        _signal.pthread_sigmask(_signal.SIG_UNBLOCK, _REQUESTS)
        from windlass.cli.main import main as run

        run()
    except StoppedError as exc:
        from windlass.cli.main import end, say

        end(say(exc))


if __name__ == "__main__":
    main()
