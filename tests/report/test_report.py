"""The report, as a browser shows it."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Output

Windlass = Callable[..., Output]
Browser = Callable[..., str]

PIPELINE = """
pipeline: shop
description: Orders, with <everything> that can happen
params: {greeting: "<b>hello</b>"}
tasks:
  load:
    description: The orders
    copy:
      from: {path: orders.csv}
      to: {connection: shop, table: orders}
      on_bad_row: quarantine
  look:
    needs: [load]
    check: {connection: shop, table: orders, not_null: [id], expressions: ["amount > 0"]}
  flaky:
    retries: 1
    retry_delay: 10ms
    run: {command: [sh, -c, "echo '</script><script>alert(1)</script>'; test -e tried || { touch tried; exit 1; }"]}
  after:
    needs: [look]
    run: {command: [echo, never]}
"""


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    folder = tmp_path / "shop"
    (folder / "pipelines").mkdir(parents=True)
    (folder / "windlass.yaml").write_text("project: shop\nconnections:\n  shop: {type: sqlite}\n")
    (folder / "pipelines" / "shop.yaml").write_text(PIPELINE)
    (folder / "orders.csv").write_text("id,name,amount\n1,<i>Ada</i>,5\n2,Grace,-7\n3,cut o\n")
    return folder


def run_and_report(windlass: Windlass, folder: Path, pipeline: str) -> Path:
    windlass("-C", folder, "run", pipeline)
    return Path(windlass("-C", folder, "report", f"{pipeline}-").stdout.strip())


def text_of(document: str) -> str:
    """What is to be read on the page, in one line."""
    body = re.sub(r"<(style|script)[^>]*>.*?</\1>", " ", document, flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", body)).split())


def section(document: str, task: str) -> str:
    found = re.search(rf'<section[^>]*data-task="{task}".*?</section>', document, re.DOTALL)
    assert found is not None
    return text_of(found[0])


def row(document: str, task: str) -> str:
    found = re.search(rf'<tr data-task="{task}">.*?</tr>', document, re.DOTALL)
    assert found is not None
    return text_of(found[0])


def test_the_page_shows_what_became_of_every_task(shop: Path, windlass: Windlass, browser: Browser) -> None:
    document = browser(run_and_report(windlass, shop, "shop"))
    assert text_of(document).startswith("shop: failed")
    assert row(document, "load").startswith("load copy ✓ success 1 3 2 1 ")
    assert row(document, "flaky").startswith("flaky run ✓ success 2")
    assert row(document, "after") == "after run ↯ upstream failed"
    for task, state in (
        ("load", "success"),
        ("look", "failed"),
        ("flaky", "success"),
        ("after", "upstream_failed"),
    ):
        assert re.search(rf'<g class="task {state}" data-task="{task}">', document)
    assert document.count('class="bar success"') == 2
    assert document.count('class="bar failed"') == 2


def test_a_bad_row_stands_there_with_its_place_and_reason(
    shop: Path, windlass: Windlass, browser: Browser
) -> None:
    load = section(browser(run_and_report(windlass, shop, "shop")), "load")
    assert "3 read = 2 written + 1 quarantined" in load
    assert "1 ragged_row" in load
    assert "orders.csv:4 ragged_row expected 3 fields, found 2 3,cut o" in load


def test_a_failed_check_shows_the_rows_that_speak_against_it(
    shop: Path, windlass: Windlass, browser: Browser
) -> None:
    look = section(browser(run_and_report(windlass, shop, "shop")), "look")
    assert "id is not NULL ✓ success" in look
    assert "amount > 0 ✕ failed" in look
    assert "Rows that speak against it id name amount 2 Grace -7" in look


def test_what_people_wrote_is_text_and_nothing_else(shop: Path, windlass: Windlass, browser: Browser) -> None:
    page = run_and_report(windlass, shop, "shop")
    document = browser(page)
    assert "<script" not in document
    assert "Orders, with <everything> that can happen" in text_of(document)
    assert "<b>hello</b>" in text_of(document)
    assert "</script><script>alert(1)</script>" in section(document, "flaky")
    policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
    assert f'http-equiv="Content-Security-Policy" content="{policy}"' in document  # a breach is a complaint
    # only the icon and the links within the page: nothing is loaded from anywhere
    assert set(re.findall(r'(?:href|src)="([^"]*)"', document)) - {"data:,"} <= {
        f"#{name}" for name in re.findall(r'id="([^"]+)"', document)
    }
    assert re.findall(r"@import|url\(", document) == []


def test_the_log_of_a_failed_attempt_is_open(shop: Path, windlass: Windlass, browser: Browser) -> None:
    document = browser(run_and_report(windlass, shop, "shop"))
    logs = re.findall(r"<details( open)?[^>]*>\s*<summary>Log of attempt (\d)", re.sub(r'=""', "", document))
    assert logs == [(" open", "1"), ("", "2")]


def test_a_secret_is_not_in_the_report(shop: Path, windlass: Windlass) -> None:
    (shop / "windlass.yaml").write_text(
        "project: shop\nconnections:\n  shop: {type: sqlite}\n  api: {type: http}\n"
    )
    (shop / "pipelines" / "shop.yaml").write_text(
        "pipeline: shop\ntasks:\n  leak:\n    run:\n      connections: [api]\n"
        "      command: [sh, -c, 'echo \"it is $WINDLASS_CONN_API\"; exit 1']\n"
    )
    secret = {"WINDLASS_CONN_API": "http://me:hunter-2-hunter@127.0.0.1:1/"}
    windlass("-C", shop, "run", "shop", env=secret)
    page = Path(windlass("-C", shop, "report", "shop-").stdout.strip()).read_text(encoding="utf-8")
    assert "it is" in page
    assert "hunter-2-hunter" not in page


def test_triggered_runs_are_in_the_report_of_the_run_that_triggered_them(
    shop: Path, windlass: Windlass, browser: Browser
) -> None:
    (shop / "pipelines" / "all.yaml").write_text(
        "pipeline: all\ntasks:\n  shop: {trigger: {pipeline: shop}}\n"
    )
    document = browser(run_and_report(windlass, shop, "all"))
    assert re.findall(r'data-run="(\w+)-[^"]*" data-status="(\w+)"', document) == [
        ("all", "failed"),
        ("shop", "failed"),
    ]
    assert "2 runs" in text_of(document)


def test_two_hundred_tasks_have_room(tmp_path: Path, windlass: Windlass, browser: Browser) -> None:
    tasks = "".join(
        f"  t{n}: {{needs: [{f't{n - 7}' if n >= 7 else ''}], run: {{command: [no-such-program]}}}}\n"
        for n in range(200)
    )
    (tmp_path / "pipelines").mkdir()
    (tmp_path / "windlass.yaml").write_text("project: many\n")
    (tmp_path / "pipelines" / "many.yaml").write_text(f"pipeline: many\ntasks:\n{tasks}")
    document = browser(run_and_report(windlass, tmp_path, "many"))
    assert len(re.findall(r'<g class="task \w+" data-task=', document)) == 200
    assert len(re.findall(r'<tr data-task="', document)) == 200


def test_a_run_without_plan_and_logs_still_has_a_report(
    shop: Path, windlass: Windlass, browser: Browser
) -> None:
    windlass("-C", shop, "run", "shop")
    [folder] = (shop / ".windlass" / "runs").iterdir()
    (folder / "plan.json").unlink()
    for log in (folder / "logs").iterdir():
        log.unlink()
    document = browser(Path(windlass("-C", shop, "report", "shop-").stdout.strip()))
    assert row(document, "load").startswith("load copy ✓ success 1 3 2 1 ")


def test_the_report_goes_where_it_is_told_to(shop: Path, windlass: Windlass) -> None:
    windlass("-C", shop, "run", "shop")
    done = windlass("-C", shop, "report", "shop-", "--output", shop / "here.html")
    assert Path(done.stdout.strip()) == shop / "here.html"
    assert (shop / "here.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    refused = windlass("-C", shop, "report", "shop-", "--output", shop / "no" / "folder" / "here.html")
    assert refused.code != 0
    assert "Traceback" not in refused.stderr


def test_the_latest_run_is_reported_with_what_it_triggered(
    shop: Path, windlass: Windlass, browser: Browser
) -> None:
    assert "nothing has run yet" in windlass("-C", shop, "report").stderr
    (shop / "pipelines" / "all.yaml").write_text(
        "pipeline: all\ntasks:\n  shop: {trigger: {pipeline: shop}}\n"
    )
    windlass("-C", shop, "run", "shop")
    windlass("-C", shop, "run", "all")
    document = browser(Path(windlass("-C", shop, "report").stdout.strip()))
    assert re.findall(r'data-run="(\w+)-', document) == ["all", "shop"]


def test_several_runs_share_a_report(shop: Path, windlass: Windlass, browser: Browser) -> None:
    runs = [windlass("-C", shop, "run", "shop", "--task", task, "--json").json for task in ("load", "flaky")]
    ids = [run["run_id"] for run in runs]
    document = browser(Path(windlass("-C", shop, "report", *ids).stdout.strip()))
    assert re.findall(r'data-run="([^"]+)"', document) == ids
    names = re.findall(r' id="([^"]+)"', document)
    assert len(names) == len(set(names))


def test_a_retry_has_a_bar_of_its_own_that_says_what_it_was(
    shop: Path, windlass: Windlass, browser: Browser
) -> None:
    document = browser(run_and_report(windlass, shop, "shop"))
    titles = re.findall(r'<b class="bar (\w+)"[^>]* title="flaky, attempt (\d): (\w+)', document)
    assert titles == [("failed", "1", "failed"), ("success", "2", "success")]
    assert re.search(
        r'role="img" aria-label="flaky, attempt 1: failed[^"]*flaky, attempt 2: success', document
    )


def test_a_log_that_is_folded_is_printed_too(shop: Path, windlass: Windlass, browser: Browser) -> None:
    page = run_and_report(windlass, shop, "shop")
    on_paper = page.with_name("paper.html")
    text = page.read_text(encoding="utf-8").replace("@media print", "@media screen")
    policy = "default-src 'none'; "
    on_paper.write_text(text.replace(policy, ""), encoding="utf-8")
    script = (
        "document.title = [...document.querySelectorAll('details .log')].every(e => e.checkVisibility("
        "{contentVisibilityAuto: true, opacityProperty: true, visibilityProperty: true}))"
    )
    folded = page.with_name("folded.html")
    folded.write_text(page.read_text(encoding="utf-8").replace(policy, ""), encoding="utf-8")
    assert "<title>true</title>" in browser(on_paper, script)
    assert "<title>false</title>" in browser(folded, script)
