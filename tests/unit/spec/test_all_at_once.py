"""Whatever is wrong with the files of a project is told at once: every fault, at its place, and none besides.

Independent faults of many kinds are planted into a project that is valid; each is a line that takes the place of
another, with the text that a message must point at.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from windlass.errors import Problem, SpecError
from windlass.plan.compiler import Scope, compile, compile_project
from windlass.spec import load_project

Project = Callable[..., Path]

VALID = {
    "windlass.yaml": """\
project: shop
description: A shop.
connections:
  warehouse: {type: postgres}
  site: {type: http, dev: {serve: www}}
  slack: {type: slack}
  store:
    type: sqlite
    description: What is sold.
pools:
  big: 2
  small: 1
images:
  registry: docker.io/acme
""",
    "pipelines/orders.yaml": """\
pipeline: orders
description: Orders, every day.
tags: [sales, daily]
schedule: "@daily"
timezone: Europe/Paris
start: 2025-01-01
catchup: true
concurrency: forbid
params:
  table: orders
  limit: 10
defaults:
  retries: 2
  retry_delay: 30s
  pool: small
on_failure: [slack]
on_success: [slack]
tasks:
  fetch:
    description: Fetch them.
    download:
      connection: site
      path: /orders.csv
      to: "{{ ds }}.csv"
  load:
    needs: [fetch]
    retries: 3
    on_success: slack
    timeout: 5m
    pool: big
    copy:
      from: {path: "{{ tasks.fetch.path }}", csv: {delimiter: ";", header: true}}
      to:
        connection: warehouse
        table: "{{ params.table }}"
        mode: merge
        key: id
      on_bad_row: quarantine
      max_bad_rows: 1%
      select: {id: {type: bigint}, day: {from: date}}
  api:
    service:
      command: [serve, orders]
      port: 8080
      ready_timeout: 10s
  ask:
    uses: [api]
    group: later
    run:
      command: [curl, "{{ services.api.url }}"]
      connections: [store]
      env: {MODE: API}
  clean:
    needs: [load, ask]
    trigger_rule: all_done
    sql:
      connection: warehouse
      file: clean.sql
  verify:
    needs: clean
    check:
      connection: warehouse
      table: orders
      rows: {min: 1}
      freshness: {column: day, within: 1d}
  tell:
    needs: verify
    trigger:
      pipeline: report
      params: {day: "{{ ds }}", top: 5}
""",
    "pipelines/report.yaml": """\
pipeline: report
params: {day: today, top: 3}
schedule:
  assets: [warehouse.sums]
tasks:
  first:
    sql: {connection: store, statement: SELECT 1}
  second:
    needs: [first]
    copy:
      from:
        connection: store
        query: SELECT {{ params.top }}
      to: {path: out/report/, partition_by: day, max_file_size: 1GB}
      validate:
        columns:
          id: {not_null: true, min: 0}
""",
    "pipelines/sums.yaml": """\
pipeline: sums
tasks:
  add:
    outlets: [warehouse.sums]
    download: {url: "http://x/sums", to: sums.csv}
  then:
    needs: add
    run:
      command: [echo, "{{ tasks.add.path }}"]
""",
    "clean.sql": "DELETE FROM {{ params.table }} WHERE day < '{{ ds }}'\n",
}


@dataclass(frozen=True)
class Fault:
    """What is written instead of a text that is there once, what the message points at, and what it says."""

    file: str
    old: str
    new: str
    at: str
    says: str

    @property
    def name(self) -> str:
        return f"{self.new.strip()} in {self.file}"


P, O, R, S = "windlass.yaml", "pipelines/orders.yaml", "pipelines/report.yaml", "pipelines/sums.yaml"
FAULTS = [
    # keys that nobody knows
    Fault(P, "description: A shop.", "descripton: A shop.", "descripton", "unknown key 'descripton'"),
    Fault(P, "    description: What is", "    desciption: What is", "desciption", "unknown key 'desciption'"),
    Fault(
        P, "  registry: docker.io/acme", "  registri: docker.io/acme", "registri", "unknown key 'registri'"
    ),
    Fault(O, "description: Orders,", "descr: Orders,", "descr", "unknown key 'descr'"),
    Fault(O, "  retries: 2", "  retrys: 2", "retrys", "unknown key 'retrys'"),
    Fault(O, "    description: Fetch them.", "    what: Fetch them.", "what", "unknown key 'what'"),
    Fault(O, "      path: /orders.csv", "      pth: /orders.csv", "pth", "unknown key 'pth'"),
    Fault(O, "    check:\n", "    chek:\n", "chek", "unknown key 'chek'"),
    Fault(O, "day: {from: date}", "day: {form: date}", "form", "unknown key 'form'"),
    Fault(R, "id: {not_null: true,", "id: {not_nul: true,", "not_nul", "unknown key 'not_nul'"),
    Fault(R, "  assets: [", "  asets: [", "asets", "unknown key 'asets'"),
    Fault(P, "dev: {serve: www}", "dev: {sreve: www}", "sreve", "unknown key 'sreve'"),
    Fault(O, "delimiter:", "delimeter:", "delimeter", "unknown key 'delimeter'"),
    Fault(O, '        table: "{{ params', '        tabel: "{{ params', "tabel", "unknown key 'tabel'"),
    Fault(
        R, "        connection: store\n", "        conection: store\n", "conection", "unknown key 'conection'"
    ),
    # values of another kind
    Fault(P, "  big: 2", "  big: two", "two", "expected a whole number, got 'two'"),
    Fault(P, "  small: 1", "  small: 0", "0", "expected at least 1, got 0"),
    Fault(O, "tags: [sales, daily]", "tags: [sales, 5]", "5", "tags[1]: expected text, got 5"),
    Fault(O, "catchup: true", "catchup: yes", "yes", "expected true or false, got 'yes'"),
    Fault(O, "  retry_delay: 30s", "  retry_delay: 30", "30", "expected a duration"),
    Fault(O, "    timeout: 5m", "    timeout: soon", "soon", "expected a duration"),
    Fault(O, "    retries: 3", "    retries: 300", "300", "expected at most 100, got 300"),
    Fault(O, "      port: 8080", "      port: http", "http", "expected a whole number, got 'http'"),
    Fault(O, "env: {MODE: API}", "env: {MODE: 5}", "5", "expected text, got 5"),
    Fault(O, "max_bad_rows: 1%", "max_bad_rows: many", "many", "expected a number of rows"),
    Fault(O, "rows: {min: 1}", "rows: {min: one}", "one", "expected a whole number, got 'one'"),
    Fault(O, "command: [serve, orders]", "command: [serve, 5]", "5", "command[1]: expected text, got 5"),
    Fault(O, "start: 2025-01-01", "start: 2025-13-01", "2025-13-01", "expected a date or time"),
    Fault(O, "header: true", "header: 5", "5", "header: expected true or false, got 5"),
    Fault(R, "max_file_size: 1GB", "max_file_size: 1", "1", "expected a size such as"),
    Fault(R, "min: 0}", "min: [0]}", "[0]", "min: expected"),
    # words of a set
    Fault(P, "    type: sqlite", "    type: sqlit", "sqlit", "type: expected adbc"),
    Fault(O, "concurrency: forbid", "concurrency: forbidden", "forbidden", "'forbid', 'allow' or 'replace'"),
    Fault(O, "mode: merge", "mode: mrege", "mrege", "mode: expected 'append'"),
    Fault(O, "trigger_rule: all_done", "trigger_rule: all_don", "all_don", "trigger_rule: expected"),
    Fault(O, "on_bad_row: quarantine", "on_bad_row: quarantin", "quarantin", "on_bad_row: expected"),
    # keys that are missing, or do not go together
    Fault(O, "        key: id", "        # key: id", "to:", "needs `key`"),
    Fault(O, '      to: "{{ ds }}.csv"', "      # nowhere", "download", "needs the key 'to'"),
    Fault(
        O,
        "      rows: {min: 1}\n      freshness: {column: day, within: 1d}",
        "      # nothing",
        "check",
        "asserts nothing",
    ),
    Fault(R, "        query: SELECT", "        # SELECT", "from:", "exactly one of `table`"),
    Fault(
        S,
        '    download: {url: "http://x/sums", to: sums.csv}',
        "    retries: 1",
        "add:",
        "a task needs one of",
    ),
    # names that nobody has
    Fault(O, "on_failure: [slack]", "on_failure: [slak]", "slak", "unknown connection 'slak'"),
    Fault(O, "on_success: [slack]", "on_success: [slakc]", "slakc", "unknown connection 'slakc'"),
    Fault(O, "    on_success: slack", "    on_success: site", "site", "which takes no alerts"),
    Fault(O, "  pool: small", "  pool: smal", "smal", "unknown pool 'smal'"),
    Fault(O, "    pool: big", "    pool: bigg", "bigg", "unknown pool 'bigg'"),
    Fault(O, "    needs: [fetch]", "    needs: [fetsh]", "fetsh", "needs unknown task 'fetsh'"),
    Fault(O, "    uses: [api]", "    uses: [apy, api]", "apy", "uses unknown service 'apy'"),
    Fault(O, "    needs: [load, ask]", "    needs: [load, api, ask]", "api", "is a service and never ends"),
    Fault(O, "connections: [store]", "connections: [stor]", "stor", "unknown connection 'stor'"),
    Fault(O, "      pipeline: report", "      pipeline: reprot", "reprot", "unknown pipeline 'reprot'"),
    Fault(O, "    group: later", "    group: load", "load", "the group 'load' has the name of a task"),
    Fault(O, "      file: clean.sql", "      file: clean.sq", "clean.sq", "cannot read 'clean.sq'"),
    Fault(
        R,
        "sql: {connection: store,",
        "sql: {connection: slack,",
        "slack",
        "is of type slack, which runs no SQL",
    ),
    Fault(R, "    needs: [first]", "    needs: [second]", "second", "in a cycle: second → second"),
    Fault(S, "    needs: add", "    needs: ad", "ad", "needs unknown task 'ad'"),
    # schedules and templates
    Fault(O, 'schedule: "@daily"', 'schedule: "@dayly"', '"@dayly"', "'@dayly' is not a valid schedule"),
    Fault(O, "timezone: Europe/Paris", "timezone: Europe/Pari", "Europe/Pari", "unknown time zone"),
    Fault(
        O,
        '"{{ services.api.url }}"',
        '"{{ services.api.ur }}"',
        '"{{ services.api.ur }}"',
        "a service has url",
    ),
    Fault(O, 'to: "{{ ds }}.csv"', 'to: "{{ dss }}.csv"', '"{{ dss }}.csv"', "unknown template name 'dss'"),
    Fault(
        R,
        "SELECT {{ params.top }}",
        "SELECT {{ params.tip }}",
        "SELECT {{ params.tip }}",
        "unknown parameter 'tip'",
    ),
    Fault(S, '"{{ tasks.add.path }}"', '"{{ tasks.ad.path }}"', '"{{ tasks.ad.path }}"', "unknown task 'ad'"),
    Fault(O, "top: 5}", "top: five}", "five", "parameter 'top': expected a whole number"),
    Fault(O, "params: {day:", "params: {dya:", "dya", "has no parameter 'dya'"),
    # secrets, and what YAML lets through
    Fault(
        P,
        "  slack: {type: slack}",
        "  slack: {type: slack, password: hunter2}",
        "password",
        "unknown key 'password'",
    ),
    Fault(O, "  limit: 10", "  limit: .inf", ".inf", "expected a finite number"),
    Fault(
        S,
        "    outlets: [warehouse.sums]",
        "    outlets: [warehouse.sums]\n    outlets: [warehouse.sums]",
        "outlets",
        "here a second time",
    ),
]


def planted(faults: Iterable[Fault]) -> dict[str, str]:
    files = dict(VALID)
    for fault in faults:
        assert files[fault.file].count(fault.old) == 1, fault
        files[fault.file] = files[fault.file].replace(fault.old, fault.new)
    return files


def place(files: dict[str, str], fault: Fault) -> tuple[str, int, int]:
    """Where the message about a fault must point: at a text in it, or before it."""
    text = files[fault.file]
    begin, inside = text.index(fault.new), fault.new.rfind(fault.at)
    at = begin + inside if inside >= 0 else text.rfind(fault.at, 0, begin)
    return fault.file, text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at)


def told(root: Path) -> list[tuple[tuple[str, int, int], str]]:
    try:
        compile_project(load_project(root))
    except SpecError as exc:
        return [((p.file, p.line, p.column), p.message) for p in exc.problems]
    return []


def check(root: Path, faults: list[Fault]) -> None:
    files = planted(faults)
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    left = told(root)
    for fault in faults:
        expected = [(place(files, fault), fault.says)]
        if "hunter2" in fault.new:
            where = place(files, replace(fault, at="hunter2"))
            expected.append((where, "looks like a secret"))
        for where, says in expected:
            found = [one for one in left if one[0] == where and says in one[1]]
            assert found, f"{fault.name}: {says!r} is not told at {where}, but {left}"
            left.remove(found[0])
    assert left == []


# of two of these faults the second cannot be seen while the first is there
HIDING = [
    ("chek:", "# nothing"),
    ("mode: mrege", "# key"),
    ("# SELECT", "params.tip"),
    ("reprot", "top: five"),
    ("reprot", "dya"),
]


def together(faults: Iterable[Fault]) -> list[Fault]:
    """Those of the faults that can be there at once, independent of each other."""
    chosen: list[Fault] = []
    for fault in faults:
        texts = [other.new for other in chosen]
        hidden = any(
            (a in new and b in fault.new) or (b in new and a in fault.new) for new in texts for a, b in HIDING
        )
        if not hidden and planted(chosen)[fault.file].count(fault.old) == 1:
            chosen.append(fault)
    return chosen


def test_the_project_is_valid(tmp_path: Path) -> None:
    check(tmp_path, [])


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_fault_is_told_once_at_its_place(fault: Fault, tmp_path: Path) -> None:
    check(tmp_path, [fault])


@given(faults=st.lists(st.sampled_from(FAULTS), unique=True, min_size=2, max_size=25))
@example(faults=FAULTS)
@example(faults=FAULTS[::-1])
@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_faults_do_not_hide_each_other(faults: list[Fault], tmp_path: Path) -> None:
    check(tmp_path, together(faults))


def test_a_file_that_is_not_yaml_hides_nothing_of_the_others(project: Project) -> None:
    shown = [
        problem.file
        for problem in problems(
            project(
                {
                    "windlass.yaml": "project: [\n",
                    "pipelines/a.yaml": "pipeline: a\ntasks: {t: {needs: x, sql: {connection: y, statement: z}}}\n",
                    "pipelines/b.yaml": "]",
                    "pipelines/c.yaml": "- c\n",
                    "pipelines/d.yaml": "pipeline: d\ntasks: {t: {trigger: {pipeline: b}}, u: {trigger: {pipeline: gone}}}\n",
                }
            )
        )
    ]
    # nothing is said of connections, which nobody knows, nor of pipelines, one of which has no name that can be told
    assert shown == ["pipelines/a.yaml", "pipelines/b.yaml", "pipelines/c.yaml", "windlass.yaml"]


def problems(root: Path) -> list[Problem]:
    with pytest.raises(SpecError) as caught:
        compile_project(load_project(root))
    return list(caught.value.problems)


def test_one_pipeline_is_told_with_the_project_file_and_without_the_others(project: Project) -> None:
    root = project(
        {
            "windlass.yaml": "project: p\nconections: {}\n",
            "pipelines/a.yaml": "pipeline: a\nx: 1\ntasks: {t: {needs: y, run: {command: z}}}\n",
            "pipelines/b.yaml": "pipeline: b\n",
        }
    )
    files = load_project(root)
    with pytest.raises(SpecError) as caught:
        compile(files.pipeline("a"), {"no": "such"}, Scope.of(files))
    assert [(p.file, p.line) for p in caught.value.problems] == [
        ("pipelines/a.yaml", 2),
        ("pipelines/a.yaml", 3),
        ("windlass.yaml", 2),
    ]


def test_no_problem_that_is_found_in_the_rest_of_a_file_shows_a_secret(project: Project) -> None:
    root = project(
        {
            "pipelines/a.yaml": "pipeline: a\ntasks: {t: {needs: gone, run: {command: z, env: {PASSWORD: hunter2}}}}\n"
        }
    )
    found = problems(root)
    assert [p.message for p in found] == [
        "needs unknown task 'gone'",
        "this looks like a secret, by its key 'PASSWORD'",
    ]
    assert "hunter2" not in str(SpecError(found))
