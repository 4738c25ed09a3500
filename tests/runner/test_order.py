"""What runs when: order, several at once, retries, timeouts, a part of a pipeline, the rest of a run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.runner.conftest import eventually

Run = Callable[..., dict[str, Any]]
Call = Callable[..., Any]


def statuses(result: dict[str, Any]) -> dict[str, str]:
    return {name: task["status"] for name, task in result["tasks"].items()}


def test_a_task_runs_after_all_that_it_needs(run: Run) -> None:
    step = "run: {{command: [sh, -c, 'for f in {0}; do test -e $f || exit 1; done; touch {1}']}}"
    result = run(
        "tasks:\n"
        f"  d: {{needs: [b, c], {step.format('a b c', 'd')}}}\n"
        f"  b: {{needs: a, {step.format('a', 'b')}}}\n"
        f"  c: {{needs: a, {step.format('a', 'c')}}}\n"
        f"  a: {{{step.format('', 'a')}}}\n",
        "--parallel", "4",
    )  # fmt: skip
    assert (result["code"], set(statuses(result).values())) == (0, {"success"})


# each says that it is there, and waits for the other
MEET = "run: {{command: [sh, -c, 'touch {0}; while ! test -e {1}; do sleep 0.05; done']}}, timeout: 60s"


def test_tasks_that_do_not_need_each_other_run_at_once(run: Run) -> None:
    tasks = f"tasks:\n  a: {{{MEET.format('a', 'b')}}}\n  b: {{{MEET.format('b', 'a')}}}\n"
    assert run(tasks, "--parallel", "2")["code"] == 0


def test_no_more_tasks_than_allowed_run_at_once(run: Run) -> None:
    alone = "run: {command: [sh, -c, 'mkdir busy && sleep 0.1 && rmdir busy']}"
    tasks = "".join(f"  t{i}: {{{alone}}}\n" for i in range(4))
    assert run(f"tasks:\n{tasks}", "--parallel", "1")["code"] == 0


def test_what_needs_a_failed_task_does_not_run_and_the_rest_does(run: Run) -> None:
    result = run(
        "tasks:\n"
        "  bad: {run: {command: ['false']}}\n"
        "  after: {needs: bad, run: {command: [touch, after]}}\n"
        "  last: {needs: after, run: {command: [touch, last]}}\n"
        "  other: {run: {command: [touch, other]}}\n"
    )
    assert statuses(result) == {
        "bad": "failed", "after": "upstream_failed", "last": "upstream_failed", "other": "success"
    }  # fmt: skip
    assert result["code"] == 1
    assert not (result["root"] / "after").exists()


def test_a_failed_command_is_tried_again_after_growing_waits(run: Run) -> None:
    third_time = "echo x >> tries; test $(wc -l < tries) -ge 3"
    result = run(
        "defaults: {retries: 5, retry_delay: 20ms, backoff: 3}\n"
        f"tasks: {{a: {{run: {{command: [sh, -c, '{third_time}']}}}}}}\n"
    )
    assert (result["code"], result["tasks"]["a"]["attempts"]) == (0, 3)
    assert [e["seconds"] for e in result["log"] if e["event"] == "retry"] == pytest.approx([0.02, 0.06])


def test_what_cannot_get_better_is_not_tried_again(run: Run) -> None:
    result = run(
        "defaults: {retries: 5, retry_delay: 1ms}\n"
        "tasks:\n"
        "  sql: {sql: {statement: SELECT nothing}}\n"
        "  program: {run: {command: [no-such-program]}}\n"
        "  folder: {run: {build: gone, command: [echo]}}\n"
    )
    tasks = result["tasks"]
    assert {task["attempts"] for task in tasks.values()} == {1}
    assert "nothing" in tasks["sql"]["error"]
    assert tasks["program"]["error"] == "there is no program 'no-such-program'"
    assert "there is no folder" in tasks["folder"]["error"]


@pytest.mark.parametrize(
    ("command", "code", "error"),
    [
        ("exit 7", 1, "exit code 7"),
        ("exit 3", 3, "exit code 3"),
        ("kill -9 $$", 3, "killed by SIGKILL"),
        ("kill -64 $$", 3, "killed by SIGRTMAX"),
        ("kill -40 $$", 3, "killed by signal 40"),
        ("exit 255", 1, "exit code 255"),  # which ssh and `sys.exit(-1)` give
        ("exit 200", 1, "exit code 200"),
        ("exit 143", 1, "exit code 143"),
        ("exit 130", 1, "exit code 130"),
        ("exit 137", 1, "exit code 137"),
    ],
)
def test_how_a_command_ends_is_how_its_run_ends(command: str, code: int, error: str, run: Run) -> None:
    result = run(f"tasks: {{a: {{run: {{command: [sh, -c, '{command}']}}}}}}\n")
    assert (result["code"], result["tasks"]["a"]["error"]) == (code, error)


def test_what_keeps_a_triggered_run_from_beginning_is_the_error_of_its_task(run: Run) -> None:
    files = {"pipelines/other.yaml": "pipeline: other\n"}
    result = run("tasks: {gone: {trigger: {pipeline: other}}}\n", files=files)
    assert result["code"] == 1
    assert (
        "pipelines/other.yaml:1:1: error[W0104]: the file needs the key 'tasks'"
        in result["tasks"]["gone"]["error"]
    )


ODD = """\
import sys
print('{"event": "a", "x": ' + "[" * 20000 + "]" * 20000 + "}")
print('{"event": "a", "x": "' + chr(92) + 'ud800"}')
print('{"event": "progress", "rows": "many", "bytes": 1e400, "total": -1}')
print('{"event": "a", "level": {}, "time": []}')
sys.stdout.buffer.write(bytes(range(256)) + bytes([10]))
print('{"event": "result", "rows_read": 99999999999999999999999, "bytes": true, "detail": 7}')
print("done")
"""


def test_nothing_that_a_task_prints_makes_it_fail(
    run: Run, windlass: Call, project: Callable[..., Path]
) -> None:
    tasks = "tasks: {a: {run: {command: [python3, odd.py]}}}\n"
    result = run(tasks, files={"odd.py": ODD})
    assert (result["code"], result["tasks"]["a"]["rows_read"]) == (0, None)
    assert {"done"} <= {record.get("message") for record in result["log"]}
    done = windlass("-C", result["root"], "exec", "p", "a")
    assert (done.code, "done" in done.stdout.splitlines(), done.stderr) == (0, True, "")


def test_a_defect_of_ours_in_a_task_says_what_it_is(run: Run, tmp_path: Path) -> None:
    tasks = "tasks: {a: {retries: 3, copy: {from: {path: in.csv}, to: {path: out.csv}}}}\n"
    broken = "def __getattr__(name): raise ZeroDivisionError('what nobody has foreseen')\n"
    files = {"in.csv": "id\n1\n", "broken/duckdb.py": broken}
    result = run(tasks, files=files, env={"PYTHONPATH": str(tmp_path / "project/broken")})
    task = result["tasks"]["a"]
    assert (result["code"], task["attempts"]) == (1, 1)
    assert task["error"].startswith(
        "ZeroDivisionError: what nobody has foreseen\n  hint: this is a defect of windlass"
    )
    [traceback] = [record for record in result["log"] if record["event"] == "traceback"]
    assert (traceback["level"], "Traceback" in traceback["text"]) == ("debug", True)


def test_a_task_that_takes_too_long_is_stopped_with_all_that_it_started(run: Run) -> None:
    command = "(sleep 60; touch late) & setsid sleep 60 & wait"
    result = run(f'tasks: {{a: {{timeout: 200ms, run: {{command: [bash, -c, "{command}"]}}}}}}\n')
    assert (result["code"], result["tasks"]["a"]["error"]) == (3, "timed out after 0.2 s")


def test_what_a_task_leaves_in_the_background_does_not_hold_up_its_end(run: Run) -> None:
    result = run("tasks: {a: {run: {command: [sh, -c, 'setsid sleep 600 & sleep 600 & echo done']}}}\n")
    assert result["code"] == 0


def test_a_part_of_a_pipeline_can_be_run(run: Run, windlass: Call) -> None:
    tasks = "tasks:\n" + "".join(
        f"  {name}: {{needs: {needs}, run: {{command: [touch, {name}]}}}}\n"
        for name, needs in {"a": [], "b": ["a"], "c": ["b"], "x": []}.items()
    )
    assert statuses(run(tasks, "--task", "b")) == {
        "a": "skipped",
        "b": "success",
        "c": "skipped",
        "x": "skipped",
    }
    result = run(tasks, "--from", "b")
    assert statuses(result) == {"a": "skipped", "b": "success", "c": "success", "x": "skipped"}
    assert sorted(path.name for path in result["root"].glob("[a-z]")) == ["b", "c"]


def test_resume_runs_only_what_did_not_succeed_under_the_same_id(run: Run, windlass: Call) -> None:
    result = run(
        "tasks:\n"
        "  a: {run: {command: [sh, -c, 'echo x >> a']}}\n"
        "  b: {needs: a, run: {command: [test, -e, mended]}}\n"
        "  c: {needs: b, run: {command: [touch, c]}}\n",
        "--logical-date", "2025-01-02",
    )  # fmt: skip
    root, run_id = result["root"], result["run"]
    assert result["code"] == 1
    (root / "mended").touch()
    assert windlass("-C", root, "run", "other", "--resume", run_id).code == 2
    assert windlass("-C", root, "run", "--resume", run_id, "--logical-date", "2025-01-03").code == 2
    done = windlass("-C", root, "run", "--resume", run_id, "--json")
    assert (done.code, done.json["run_id"]) == (0, run_id)
    assert [(t["task"], t["status"], t["attempts"]) for t in done.json["tasks"]] == [
        ("a", "success", 1), ("b", "success", 2), ("c", "success", 1)
    ]  # fmt: skip
    assert (root / "a").read_text() == "x\n"
    record = windlass("-C", root, "runs", "--json").json[0]
    assert (record["status"], record["logical_date"]) == ("success", "2025-01-02T00:00:00+00:00")


def test_a_step_knows_its_run_and_none_of_our_secrets(run: Run) -> None:
    result = run(
        "schedule: '@daily'\nparams: {name: 'a b'}\n"
        "tasks: {a: {run: {command: [env], env: {MINE: '{{ params.name }} on {{ ds }}'}}}}\n",
        "--logical-date", "2025-03-01", "--workspace", "out",
        env={"MY_TOKEN": "very-secret", "WINDLASS_CONN_OTHER": "postgresql://u:very-secret@h/d"},
    )  # fmt: skip
    lines = [record["message"] for record in result["log"] if record["event"] == "output"]
    variables = dict(line.split("=", 1) for line in lines)
    assert variables["WINDLASS_RUN_ID"] == result["run"]
    assert variables["WINDLASS_LOGICAL_DATE"] == "2025-03-01T00:00:00+00:00"
    assert variables["WINDLASS_DATA_INTERVAL_END"] == "2025-03-02T00:00:00+00:00"
    assert Path(variables["WINDLASS_WORKSPACE"]).name == "out"
    assert variables["MINE"] == "a b on 2025-03-01"
    assert "very-secret" not in result["stderr"]


def test_secrets_of_a_connection_reach_the_step_and_no_log(run: Run) -> None:
    secrets = ("s3cr3t/with:odd@chars", "s3cr3t%2Fwith%3Aodd%40chars")
    show = (
        "import os, urllib.parse\n"
        "uri = os.environ['WINDLASS_CONN_PG']\n"
        "print(uri, urllib.parse.unquote(uri), flush=True)\n"
        'print(\'{"event": "failed", "error": "cannot reach %s"}\' % uri)\n'
        "raise SystemExit(1)\n"
    )
    result = run(
        "tasks: {a: {run: {command: [sh, -c, 'python3 show.py'], connections: pg}}}\n",
        files={"show.py": show, "windlass.yaml": "project: p\nconnections: {pg: {type: postgres}}\n"},
        env={"WINDLASS_CONN_PG": f"postgresql://me:{secrets[1]}@127.0.0.1:1/db"},
    )
    shown = [record["message"] for record in result["log"] if record["event"] == "output"]
    assert [line.count("***") for line in shown] == [2]
    assert result["tasks"]["a"]["error"] == "cannot reach postgresql://me:***@127.0.0.1:1/db"
    files = [file for file in (result["root"] / ".windlass").rglob("*") if file.is_file()]
    stored = b"".join(file.read_bytes() for file in files).decode(errors="replace")
    assert not [secret for secret in secrets if secret in stored + result["stderr"]]


def test_odd_output_is_only_output(run: Run) -> None:
    script = r"""printf 'caf\351\n{"event": 5}\nnull\n[1]\n{"event":"progress","rows":"x","total":"y"}\n{"event":"result","rows_read":"x","detail":[1]}\n{"event":"x","run":"fake","task":"fake"}\nlast'"""
    result = run("tasks: {a: {run: {command: [sh, odd.sh]}}}\n", files={"odd.sh": script})
    assert (result["code"], result["tasks"]["a"]["rows_read"]) == (0, None)
    ours = [record for record in result["log"] if record["event"] in ("output", "x")]
    assert [record.get("message") for record in ours] == [
        "caf\ufffd",
        '{"event": 5}',
        "null",
        "[1]",
        None,
        "last",
    ]
    assert {(record["run"], record["task"]) for record in ours} == {(result["run"], "a")}


def test_a_task_cleans_up_after_one_that_failed(run: Run) -> None:
    clean = "  clean: {needs: bad, trigger_rule: all_done, run: {command: [touch, clean]}}\n"
    tasks = "tasks:\n  bad: {run: {command: ['false']}}\n"
    result = run(f"{tasks}{clean}")
    assert (result["code"], statuses(result)) == (0, {"bad": "failed", "clean": "success"})
    assert (result["root"] / "clean").exists()
    other = "  after: {needs: bad, run: {command: [touch, after]}}\n"
    result = run(f"{tasks}{clean}{other}")
    assert (result["code"], statuses(result)["after"]) == (1, "upstream_failed")


def test_no_more_tasks_of_a_pool_than_it_has_slots_run_at_once(run: Run) -> None:
    alone = "run: {command: [sh, -c, 'mkdir busy && sleep 0.1 && rmdir busy']}"
    tasks = "".join(f"  t{i}: {{{alone}}}\n" for i in range(3))
    project = {"windlass.yaml": "project: p\npools: {database: 1}\n"}
    assert (
        run(f"defaults: {{pool: database}}\ntasks:\n{tasks}", "--parallel", "4", files=project)["code"] == 0
    )


def test_a_run_that_nobody_waits_for_outlives_the_run_that_triggers_it(run: Run, windlass: Call) -> None:
    other = "pipeline: q\ntasks: {a: {run: {command: [sh, -c, 'while ! test -e go; do sleep 0.05; done']}}}\n"
    result = run("tasks: {t: {trigger: {pipeline: q, wait: false}}}\n", files={"pipelines/q.yaml": other})
    root = result["root"]
    assert (result["code"], statuses(result)) == (0, {"t": "success"})
    (root / "go").touch()

    def ended() -> bool:
        done = windlass("-C", root, "runs", "q", "--json").json
        return [(r["status"], r["parent"]) for r in done] == [("success", result["run"])]

    eventually(ended)
