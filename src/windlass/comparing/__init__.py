"""What a change of the files does: to pipelines, to what they read and write, to images.

changes.py     plans side by side
since.py       a project, and as it was at a commit
markdown.py    what has changed, for a pull request
"""

from windlass.comparing.changes import Change, PipelineChanges, compared
from windlass.comparing.markdown import markdown
from windlass.comparing.since import Difference, difference_since

__all__ = ["Change", "Difference", "PipelineChanges", "compared", "difference_since", "markdown"]
