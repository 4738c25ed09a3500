"""A plan as SVG: one self-contained picture, light or dark as its reader is, nothing said by colour alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from html import escape

from windlass.drawing.edges import edges_of, layers_of
from windlass.drawing.layout import Box, Layout, Line, Point, place
from windlass.plan.model import Plan, Service, Task
from windlass.status import Status

__all__ = ["STATE_ICONS", "svg"]

STATE_ICONS: dict[str, str] = {
    Status.SUCCESS: "✓",
    Status.FAILED: "✕",
    Status.UPSTREAM_FAILED: "↯",
    Status.RUNNING: "▶",
    Status.UP_FOR_RETRY: "↻",
    Status.CANCELLED: "■",
    Status.SKIPPED: "»",
    Status.PENDING: "○",
}

_HEIGHT, _MARGIN = 46.0, 12.0
_NAME_CHAR, _SMALL_CHAR, _PADDING = 7.85, 6.3, 16.0
_LONGEST = 30

_STYLE = """
.wl-dag{--ink:#1c2430;--soft:#5a6675;--line:#8b97a6;--box:#fff;--edge:#c9d1db;
--success:#1a7a48;--failed:#c02626;--running:#1560bd;--up_for_retry:#8a5a00;--cancelled:#8a5a00;
--upstream_failed:#a8480f;--skipped:#5a6675;--pending:#5a6675;
font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;color-scheme:light dark}
@media screen and (prefers-color-scheme:dark){.wl-dag{--ink:#e6ebf1;--soft:#a3afbd;--line:#74808f;--box:#1a212b;
--edge:#3a4655;--success:#56c98c;--failed:#ff8080;--running:#74b3ff;--up_for_retry:#e2b04a;--cancelled:#e2b04a;
--upstream_failed:#f2a272;--skipped:#a3afbd;--pending:#a3afbd}}
.wl-dag .task{color:var(--soft)}
STATES
.wl-dag rect{fill:var(--box);stroke:var(--edge)}
.wl-dag .service rect{stroke-dasharray:5 4;stroke:var(--line)}
.wl-dag .bar{stroke:none;fill:currentColor}
.wl-dag text{fill:var(--soft);font-size:10.5px}
.wl-dag .name{fill:var(--ink);font-size:13px;font-weight:600}
.wl-dag .state{fill:currentColor;font-weight:600}
.wl-dag .way{fill:none;stroke:var(--line);stroke-width:1.4}
.wl-dag .uses .way{stroke-dasharray:2 4;stroke-linecap:round}
.wl-dag .head{fill:var(--line);stroke:none}
.wl-dag a:hover rect,.wl-dag a:focus rect{stroke:var(--running);stroke-width:2}
""".replace("STATES", "\n".join(f".wl-dag .{state}{{color:var(--{state})}}" for state in STATE_ICONS))


def svg(
    plan: Plan, states: Mapping[str, Status] | None = None, link: Callable[[str], str] | None = None
) -> str:
    """The picture. `states` are task states by name; `link` makes the address that a task leads to."""
    layout = place(layers_of(plan), edges_of(plan), {t.name: _width(t, states) for t in plan.tasks}, _HEIGHT)
    tasks = {task.name: task for task in plan.tasks}
    parts = [_opening(plan, layout, role="group" if link else "img")]
    parts += [_line(line) for line in layout.lines]
    for box in layout.boxes:
        drawn = _box(box, tasks[box.task], None if states is None else states.get(box.task, Status.PENDING))
        parts.append(f'<a href="{_text(link(box.task))}">{drawn}</a>' if link else drawn)
    return "\n".join([*parts, "</svg>"])


def _opening(plan: Plan, layout: Layout, role: str) -> str:
    width, height = (f"{side + 2 * _MARGIN:.0f}" for side in (layout.width, layout.height))
    count = f"{len(plan.tasks)} task{'' if len(plan.tasks) == 1 else 's'}"
    title = _text(f"The tasks of {plan.pipeline}: {count} and what needs what")
    view = f"{-_MARGIN:g} {-_MARGIN:g} {width} {height}"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="wl-dag" role="{role}" aria-label="{title}" '
        f'width="{width}" height="{height}" viewBox="{view}">\n<title>{title}</title>\n<style>{_STYLE}</style>'
    )


# --- boxes ---


def _box(box: Box, task: Task, state: str | None) -> str:
    x, y = box.x, box.y
    classes = ["task", *(["service"] if isinstance(task.action, Service) else [])]
    classes += [state] if state in STATE_ICONS else []
    left, right = x + _PADDING, x + box.width - _PADDING + 4
    parts = [
        f'<g class="{" ".join(classes)}" data-task="{_text(task.name)}">',
        f"<title>{_text(_described(task, state))}</title>",
        f'<rect x="{x:g}" y="{y:g}" width="{box.width:g}" height="{box.height:g}" rx="7"/>',
        f'<text class="name" x="{left:g}" y="{y + 20:g}">{_text(_shortened(task.name))}</text>',
        f'<text x="{left:g}" y="{y + 36:g}">{_text(task.kind)}</text>',
    ]
    if state is not None:
        bar = f'x="{x + 6:g}" y="{y + 8:g}" width="3" height="{box.height - 16:g}" rx="1.5"'
        parts.insert(3, f'<rect class="bar" {bar}/>')
        parts.append(
            f'<text class="state" x="{right:g}" y="{y + 36:g}" text-anchor="end">{_text(_said(state))}</text>'
        )
    return "".join([*parts, "</g>"])


def _width(task: Task, states: Mapping[str, Status] | None) -> float:
    """How wide a box must be for what stands in it, in a fixed-width font."""
    below = task.kind if states is None else f"{task.kind}   {_said(states.get(task.name, 'pending'))}"
    name = min(len(task.name), _LONGEST) * _NAME_CHAR
    return max(110.0, round(max(name, len(below) * _SMALL_CHAR) + 2 * _PADDING))


def _said(state: str) -> str:
    return f"{STATE_ICONS.get(state, '○')} {state.replace('_', ' ')}"


def _shortened(name: str) -> str:
    """A long name without its middle: names often differ at their ends."""
    if len(name) <= _LONGEST:
        return name
    keep = _LONGEST - 1
    return f"{name[: keep - keep // 2]}…{name[-(keep // 2) :]}"


def _described(task: Task, state: str | None) -> str:
    needs = f"needs {', '.join(task.needs)}" if task.needs else ""
    uses = f"uses {', '.join(task.uses)}" if task.uses else ""
    head = f"{task.name} ({task.kind})" + (f": {state.replace('_', ' ')}" if state else "")
    return "\n".join(part for part in (head, task.description.strip(), needs, uses) if part)


def _text(text: str) -> str:
    """Text inside XML, which has no way to write most control characters."""
    return escape("".join(c if c.isprintable() or c == "\n" else "\ufffd" for c in text))


# --- lines ---


def _line(line: Line) -> str:
    edge, end = line.edge, line.points[-1]
    head = f"M{end.x:g} {end.y:g}l-7 -3.6v7.2z"
    return (
        f'<g class="edge{" uses" if edge.uses else ""}" data-from="{_text(edge.source)}" '
        f'data-to="{_text(edge.target)}"><path class="way" d="{_way(line.points)}"/>'
        f'<path class="head" d="{head}"/></g>'
    )


def _way(points: tuple[Point, ...]) -> str:
    """Curves from layer to layer, level where they leave and arrive; straight across layers between."""
    path = f"M{points[0].x:g} {points[0].y:g}"
    for number in range(0, len(points), 2):
        start, end = points[number : number + 2]
        path += f"H{start.x:g}" if number else ""
        x = end.x - (6 if end is points[-1] else 0)  # the line ends inside its arrow head
        if start.y == end.y:
            path += f"H{x:g}"
        else:
            half = round((start.x + x) / 2, 1)
            path += f"C{half:g} {start.y:g} {half:g} {end.y:g} {x:g} {end.y:g}"
    return path
