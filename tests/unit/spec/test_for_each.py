"""One definition, many pipelines and tasks: `for_each`."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from windlass.entries import valid_name
from windlass.errors import SpecError
from windlass.plan.compiler import compile_project
from windlass.plan.model import Copy, Plan, Task
from windlass.spec import load_project
from windlass.spec.expanding import expanded
from windlass.spec.yaml import parse
from windlass.templates import filled, render

CITIES = "city,lat,limit\nNew York,40.7,3\nZürich,47.4,5\n"
WEATHER = """\
pipeline: "weather_{{ each.city | lower }}"
for_each: {path: cities.csv}
schedule: "@daily"
params: {limit: "{{ each.limit }}", city: "{{ each.city }}"}
tasks:
  fetch: {run: {command: [echo, "{{ each.city }}", "{{ each.lat ~ ds }}"]}}
  load:
    for_each: [a, 2, true]
    needs: fetch
    run: {command: [echo, "{{ each }} {{ params.city }}"]}
  end: {needs: [load, fetch], run: {command: [echo]}}
"""


def plans(root: Path, pipeline: str, **files: str) -> dict[str, Plan]:
    """The plans of a project with this pipeline file, and these files beside it (`cities_csv` is cities.csv)."""
    (root / "pipelines").mkdir()
    (root / "windlass.yaml").write_text("project: p\nconnections: {pg: {type: postgres}}\n")
    (root / "pipelines" / "made.yaml").write_text(pipeline, encoding="utf-8")
    for name, text in files.items():
        stem, _, suffix = name.rpartition("_")
        (root / f"{stem}.{suffix}").write_text(text, encoding="utf-8")
    return compile_project(load_project(root))


def command(task: Task) -> tuple[str, ...]:
    assert task.unit is not None
    return task.unit.command


def test_each_entry_is_a_pipeline_and_each_of_a_task_a_task(tmp_path: Path) -> None:
    made = plans(tmp_path, WEATHER, cities_csv=CITIES)
    assert sorted(made) == ["weather_new_york", "weather_zurich"]
    plan = made["weather_zurich"]
    assert plan.params == {"limit": "5", "city": "Zürich"}
    tasks = {task.name: task for task in plan.tasks}
    assert list(tasks) == ["fetch", "load_a", "load_2", "load_true", "end"]
    assert tasks["load_a"].group == "load"
    assert tasks["end"].needs == ("fetch", "load_a", "load_2", "load_true")
    assert command(tasks["load_2"]) == ("echo", "2 Zürich")
    _, city, day = command(tasks["fetch"])
    assert (city, render(day, {"ds": "2026-01-02"})) == ("Zürich", "47.42026-01-02")


@pytest.mark.parametrize("each", ["{{ each }}", " {{ each }}"])
def test_where_text_is_wanted_a_number_is_as_in_a_longer_text(tmp_path: Path, each: str) -> None:
    pipeline = f"""\
pipeline: "p_{{{{ each }}}}"
for_each: [3, 2.5, true]
description: "{each}"
params: {{n: "{{{{ each }}}}"}}
tasks:
  run:
    for_each: [2023, a]
    run: {{command: [echo, "{each}"], env: {{YEAR: "{each}"}}}}
  load: {{copy: {{from: {{path: x.csv}}, to: {{connection: pg, table: "{each}"}}}}}}
"""
    made = plans(tmp_path, pipeline)
    assert [plan.description.strip() for plan in made.values()] == ["3", "2.5", "True"]
    assert [plan.params["n"] for plan in made.values()] == [3, 2.5, True]
    year, _, load = made["p_2_5"].tasks
    assert [word.strip() for word in command(year)] == ["echo", "2023"]
    assert isinstance(load.action, Copy)
    assert str(load.action.destination.options["table"]).strip() == "2.5"


def test_every_key_takes_an_entry_with_its_type(tmp_path: Path) -> None:
    sources = """\
    {"feeds": {"drugs": {"retries": 3, "mode": "merge", "key": ["id"], "columns": {"id": "integer", "n": "text"}},
               "trials": {"retries": 0, "mode": "append", "key": null, "columns": {"id": "integer"}}}}"""
    pipeline = """\
pipeline: feeds
tasks:
  load:
    for_each: {path: sources.json, records: feeds}
    retries: "{{ each.retries }}"
    copy:
      from: {path: "{{ each.key if each.key is string else 'data' }}.csv", columns: "{{ each.columns }}"}
      to: {connection: pg, table: "{{ each.mode }}", mode: replace}
"""
    tasks = {task.name: task for task in plans(tmp_path, pipeline, sources_json=sources)["feeds"].tasks}
    assert {name: task.retry.retries for name, task in tasks.items()} == {"load_drugs": 3, "load_trials": 0}
    copied = tasks["load_drugs"].action
    assert isinstance(copied, Copy)
    assert copied.source.options["columns"] == {"id": "integer", "n": "text"}


WITH = """\
pipeline: "import_{{ each.name }}"
for_each: {path: projects.json, with: {dag: {path: dags.yaml, records: dags.import}, all: {path: dags.yaml}}}
tags: "{{ each.dag.tags }}"
tasks:
  load:
    for_each: {path: "{{ each.list }}", name: "{{ each.n }}", with: {more: {path: dags.yaml, records: dags.import}}}
    run: {command: [echo, "is {{ each.n }}", "{{ each.more.tags[0] }}"]}
"""
DAGS = "dags:\n  import: {tags: [a, b]}\n  process: {tags: [c]}\n"


def test_entries_have_what_another_file_says_of_all_of_them(tmp_path: Path) -> None:
    projects = (
        '[{"name": "x", "list": "projects.json", "n": 1}, {"name": "y", "list": "projects.json", "n": 2}]'
    )
    found = plans(tmp_path, WITH, projects_json=projects, dags_yaml=DAGS)
    assert {name: plan.tags for name, plan in found.items()} == {
        "import_x": ("a", "b"),
        "import_y": ("a", "b"),
    }
    assert [(task.name, command(task)) for task in found["import_y"].tasks] == [
        ("load_1", ("echo", "is 1", "a")),
        ("load_2", ("echo", "is 2", "a")),
    ]


@pytest.mark.parametrize(
    ("projects", "pipeline", "message"),
    [
        (
            "[1]",
            WITH,
            "`with` adds dag, all to each entry, and the entry at projects.json:1 is not a mapping",
        ),
        ('[{"all": 1}]', WITH, "and the entry at projects.json:1 has all already"),
        (
            "[{}]",
            WITH.replace("dags.import}, all", "dags.export}, all"),
            "expected a list or mapping at 'dags.export'",
        ),
        ("[{}]", WITH.replace("dags.yaml}}}", "no.yaml}}}"), "no.yaml"),
        ("[{}]", WITH.replace("dags.yaml}}}", "../no.yaml}}}"), "below the project"),
        ("[{}]", WITH.replace("all: {path", "all: {pfad"), "unknown key 'pfad'"),
    ],
    ids=lambda value: value if len(value) < 20 else "",
)
def test_what_entries_cannot_have_besides_is_told(
    tmp_path: Path, projects: str, pipeline: str, message: str
) -> None:
    with pytest.raises(SpecError) as refused:
        plans(tmp_path, pipeline, projects_json=projects, dags_yaml=DAGS)
    assert message in str(refused.value)


MANY = f"""\
pipeline: many
tasks:
  a: {{for_each: {list(range(400))}, run: {{command: [a]}}}}
  b:
    for_each: {list(range(400))}
    needs: [a]
    run: {{command: [b]}}
"""
WRONG = {
    "an unknown key": (
        WEATHER.replace("each.lat", "each.lng"),
        "made.yaml:6:52: error[W0216]: the entry has no key 'lng' (for the entry at cities.csv:2 and 1 more)",
    ),
    "a problem of one entry": (
        WEATHER.replace(
            "  end:", "  odd: {retries: '{{ each.limit | int - 4 }}', run: {command: [x]}}\n  end:"
        ),
        "expected at least 0, got -1 (for the entry at cities.csv:2)",
    ),
    "the same name twice": (
        WEATHER.replace('"weather_{{ each.city | lower }}"', "weather"),
        "the entry at cities.csv:2 and the entry at cities.csv:3 both make the pipeline 'weather'",
    ),
    "two tasks of a name": (
        WEATHER.replace("[a, 2, true]", "['ä', a]"),
        "'ä', line 8 and 'a', line 8 both make the task 'load_a'",
    ),
    "a task of the name of an entry's": (
        WEATHER.replace("  fetch:", "  load_a: {run: {command: [echo]}}\n  fetch:"),
        "'a', line 9 makes the task 'load_a', and there is one of that name",
    ),
    "an entry's task of the name of a later one": (
        WEATHER.replace("  end:", "  load_a: {run: {command: [echo]}}\n  end:"),
        "'a', line 8 makes the task 'load_a', and there is one of that name",
    ),
    "a mapping for a text": (
        WEATHER.replace("[a, 2, true]", "[{name: a}]").replace(
            '"{{ each }} {{ params.city }}"', '"{{ each }}"'
        ),
        "command[1]: expected text, got a mapping (for the entry at cities.csv:2, 'a', line 8",
    ),
    "a number for a text that is no template": (
        WEATHER.replace('[echo, "{{ each }} {{ params.city }}"]', '[echo, 1.10, "{{ each }}"]'),
        "command[1]: expected text, got 1.1 (for the entry at cities.csv:2, 'a', line 8",
    ),
    "no name": (
        WEATHER.replace("[a, 2, true]", "[{x: 1}]"),
        "the entry at line 8 has nothing to name its task by",
    ),
    "an entry that is text": (
        WEATHER.replace("{{ each }}", "{{ each.x }}"),
        "`each` is 'a' here and has no key 'x'",
    ),
    "nothing to go through": (
        WEATHER.replace("[a, 2, true]", "[]"),
        "there are 0 entries, expected 1 to 10,000",
    ),
    "not a list": (
        WEATHER.replace("[a, 2, true]", "a"),
        "for_each: expected a list of entries, or a mapping",
    ),
    "an unknown word": (WEATHER.replace("{path: cities.csv}", "{pfad: cities.csv}"), "unknown key 'pfad'"),
    "no file": (
        WEATHER.replace("cities.csv", "towns.csv"),
        "cannot take the entries of 'towns.csv': No such file",
    ),
    "a file outside": (
        WEATHER.replace("cities.csv", "../c.csv"),
        "path: expected a path below the project",
    ),
    "two that multiply": (
        MANY,
        "made.yaml:6:12: error[W0107]: tasks of entries that wait for tasks of entries: together more than 100,000 names",
    ),
    "each without entries": (
        WEATHER.replace("for_each: {path: cities.csv}", ""),
        "it is an entry of `for_each`, which is not there",
    ),
    "a column twice": (WEATHER.replace("cities.csv", "twice.csv"), "'twice.csv': the header has 'lat' twice"),
    "a name that is known during a run": (
        WEATHER.replace("{{ each.city | lower }}", "{{ each.city }}_{{ ds }}"),
        "pipeline: expected a name of letters, digits, '_' and '-'",
    ),
    "a ragged row": (WEATHER + "#ragged", "the row of cities.csv:4 is not as long as the header"),
}


def test_a_file_of_entries_that_is_not_utf8_says_where(tmp_path: Path) -> None:
    (tmp_path / "latin.csv").write_bytes("city,lat,limit\nBern,1,1\nZürich,2,2\n".encode("latin-1"))
    with pytest.raises(SpecError) as told:
        plans(tmp_path, WEATHER.replace("cities.csv", "latin.csv"))
    assert "'latin.csv': it is not UTF-8: byte 0xfc at offset 25, in line 3" in str(told.value)
    assert "save it as UTF-8" in str(told.value)


def test_a_name_that_cannot_be_filled_in_is_one_problem(tmp_path: Path) -> None:
    with pytest.raises(SpecError) as told:
        plans(tmp_path, WEATHER.replace("each.city | lower", "each.town | lower"), cities_csv=CITIES)
    assert [problem.message for problem in told.value.problems] == ["the entry has no key 'town'"]


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_shown_in_the_template_and_with_its_entry(case: str, tmp_path: Path) -> None:
    pipeline, expected = WRONG[case]
    cities = CITIES + "Bern,46.9\n" if case == "a ragged row" else CITIES
    with pytest.raises(SpecError) as told:
        plans(tmp_path, pipeline, cities_csv=cities, twice_csv="city,lat,lat,limit\nBern,1,2,3\n")
    assert expected in str(told.value)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(value=JSON, beside=st.text().filter(lambda t: not any(c in t for c in "{}%#\r\n\0")))
def test_whatever_an_entry_is_it_stays_that(value: object, beside: str) -> None:
    """Alone it keeps its type, and with run-time names it is there when they are."""
    alone = filled("{{ each.v }}", {"v": value})
    assert render(alone, {}) == value if isinstance(alone, str) else alone == value
    later = filled("{{ [each.v, ds] | last }}{{ each.v is none and ds is none }}" + beside, {"v": value})
    assert render(str(later), {"ds": "D"}) == "DFalse" + beside


@given(st.text())
def test_a_part_of_a_name_has_only_what_names_have(text: str) -> None:
    assert set(valid_name(text)) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")
    assert valid_name(valid_name(text)) == valid_name(text)


# --- entries that a task writes --------------------------------------------------------------------

LATER = """\
pipeline: later
params: {folder: out}
tasks:
  list: {copy: {from: {path: a.csv}, to: {path: "{{ params.folder }}/{{ ds }}.csv"}}}
  shell: {run: {command: [sh]}}
  api: {service: {command: [x]}}
  load:
    for_each: SPEC
    copy: {from: {path: "{{ each.file }}"}, to: {connection: pg, table: "{{ each.table | lower }}", mode: append}}
  end: {needs: load, run: {command: [echo]}}
"""


def test_a_task_of_entries_that_another_writes_stays_one_task(tmp_path: Path) -> None:
    text = LATER.replace("SPEC", '{of: list, name: "{{ each.table }}", limit: 5}')
    tasks = {task.name: task for task in plans(tmp_path, text)["later"].tasks}
    load = tasks["load"]
    assert load.each is not None
    assert (load.each.of, load.each.limit, load.needs, tasks["end"].needs) == (
        "list",
        5,
        ("list",),
        ("load",),
    )
    assert render(load.each.path, {"tasks": {"list": {"path": "out/x.csv"}}}) == "out/x.csv"
    assert load.paths == {"list": "out/{{ ds }}.csv"}
    assert (load.inlets, load.outlets, load.output) == (("*",), ("pg.*",), None)


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("{of: lis}", "unknown task 'lis'"),
        ("{of: api}", "'api' is a service and never ends"),
        ("{of: shell}", "'shell' is a run task and writes no file that has a path"),
        ("{of: load}", "the tasks need each other in a cycle"),
        ("{of: shell, path: a.parquet}", "there are no entries in 'a.parquet'"),
        ('{of: shell, path: "{{ each.x }}.csv"}', "unknown template name 'each'"),
        ('{of: shell, path: a.csv, name: "{{ ds }}"}', "is made of the entry"),
        ('{of: shell, path: a.csv, name: "{{ each.x"}', "not a valid template"),
        ("{of: shell, path: ../a.csv}", "expected a path below the project"),
        ("{of: shell, entries: [a]}", "the entries are written by a task (`of`), or stand here"),
        ("{of: shell, path: a.csv, limit: 0}", "limit: expected at least 1, got 0"),
        (
            "{of: shell, path: a.csv, with: {b: {path: b.yaml}}}",
            "`with` is for entries that are known beforehand",
        ),
        ("{path: a.csv, limit: 3}", "`limit` is for entries that a task writes"),
    ],
)
def test_what_is_wrong_with_entries_of_a_task_is_told_at_its_place(
    spec: str, said: str, tmp_path: Path
) -> None:
    with pytest.raises(SpecError) as caught:
        plans(tmp_path, LATER.replace("SPEC", spec), a_csv="name\nx\n")
    told = [problem for problem in caught.value.problems if said in problem.message]
    assert told, caught.value.message
    assert told[0].line in (8, 9)


def test_only_a_task_has_entries_that_another_writes(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="pipelines are made before"):
        plans(tmp_path, "pipeline: x\nfor_each: {of: a}\ntasks: {a: {run: {command: [x]}}}\n")
    for kind, said in (("service: {command: [x]}", "a service"), ("trigger: {pipeline: x}", "a `trigger`")):
        (tmp_path / "pipelines" / "made.yaml").write_text(
            "pipeline: x\ntasks:\n  a: {run: {command: [x]}}\n"
            f"  s: {{for_each: {{of: a, path: a.csv}}, {kind}}}\n"
        )
        with pytest.raises(SpecError, match=f"{said} takes no `for_each` with `of`"):
            compile_project(load_project(tmp_path))


def test_each_of_another_task_and_the_path_of_one_with_entries_are_mistakes(tmp_path: Path) -> None:
    text = LATER.replace("SPEC", "{of: list}").replace("[echo]", '["{{ each.x }}", "{{ tasks.load.path }}"]')
    with pytest.raises(SpecError) as caught:
        plans(tmp_path, text)
    said = [problem.message for problem in caught.value.problems]
    assert "unknown template name 'each'" in said
    text = text.replace("{{ each.x }}", "")
    (tmp_path / "pipelines" / "made.yaml").write_text(text)
    with pytest.raises(
        SpecError, match="'load' is a task of each entry, and each of them writes a file of its own"
    ):
        compile_project(load_project(tmp_path))


def test_a_pipeline_of_each_entry_may_have_tasks_of_entries_that_another_writes(tmp_path: Path) -> None:
    text = """\
pipeline: "p_{{ each }}"
for_each: [a, b]
tasks:
  list: {run: {command: [sh]}}
  load:
    for_each: {of: list, path: "{{ each }}/x.csv", name: "{{ each.city }}"}
    run: {command: [echo, "{{ each.city }}"]}
"""
    load = plans(tmp_path, text)["p_b"].task("load")
    assert load.each is not None
    assert (load.each.path, load.each.name, command(load)) == (
        "b/x.csv",
        "{{ each.city }}",
        ("echo", "{{ each.city }}"),
    )


def test_an_image_is_there_before_the_entries_are(tmp_path: Path) -> None:
    text = """\
pipeline: x
tasks:
  a: {run: {command: [x]}}
  b: {for_each: {of: a, path: a.csv}, run: {image: "tools:{{ each.v }}", command: [x]}}
  c: {for_each: {of: a, path: a.csv}, run: {build: "steps/{{ each.v }}", command: [x]}}
"""
    with pytest.raises(SpecError) as caught:
        plans(tmp_path, text)
    said = [(problem.line, problem.message) for problem in caught.value.problems]
    assert said == [(n, "the image of a command is there before the entries are") for n in (4, 5)]


@pytest.mark.parametrize("of", ["pipelines", "tasks"])
def test_what_is_known_of_a_thousand_entries_grows_with_them_and_not_with_their_square(
    of: str, tmp_path: Path
) -> None:
    entries = f"for_each: [{', '.join(f'e{i}' for i in range(1000))}]"
    text = (
        f"pipeline: '{{{{ each }}}}'\n{entries}\ntasks: {{t: {{run: {{command: [echo]}}}}}}"
        if of == "pipelines"
        else f"pipeline: p\ntasks: {{t: {{{entries}, run: {{command: [echo, '{{{{ each }}}}']}}}}}}"
    )
    documents = expanded(tmp_path, parse(text, "p.yaml"))
    made = sum(len(document.value["tasks"]) for document in documents if isinstance(document.value, dict))
    assert made == 1000
    marks = {id(document.marks): len(document.marks) for document in documents}
    assert sum(marks.values()) < 10_000
