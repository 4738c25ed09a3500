"""How the text of a crontab is run: not at all, and all of it succeeds."""

from __future__ import annotations

from windlass.rehearsing import Rehearsal, RehearsalRequest
from windlass.rehearsing.container import Ran

from .target import TARGET, CrontabOptions


def rehearse(request: RehearsalRequest) -> Rehearsal:
    """Implements `windlass.rehearsing.Rehearse`."""
    text = TARGET.render(request.project, CrontabOptions(user="me"))["crontab"]
    request.tell("cron", text.splitlines()[1:])
    plan, root = request.project.plans[request.pipeline], request.project.root
    ran = {task.name: Ran(task.name, code=0, began=0, ended=1) for task in plan.tasks}
    return Rehearsal(plan.pipeline, request.target, "run", ran, (), request.workspace or root)
