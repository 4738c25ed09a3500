"""`windlass docs` and `windlass status --board`, as a browser shows them."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote

import pytest

from tests.conftest import Output

Windlass = Callable[..., Output]
Browser = Callable[..., str]

PROJECT = """
project: shop
connections:
  shop: {type: sqlite}
  api: {type: http}
  pager: {type: slack}
"""
LOAD = """
pipeline: load
description: Orders, </script><script>alert(1)</script> and <b>all</b>
schedule: "30 2 * * *"
timezone: Europe/Paris
owner: Ada
tags: [sales, Zürich]
on_failure: [pager]
on_recovery: [pager]
params: {region: "<i>north</i>"}
tasks:
  orders:
    copy:
      from: {path: orders.csv}
      to: {connection: shop, table: orders}
      validate: {columns: {id: {not_null: true, min: 1}}}
      on_bad_row: quarantine
  look:
    needs: [orders]
    check: {connection: shop, table: orders, unique: [[id]]}
  tell:
    needs: [look]
    on_success: [pager]
    run:
      command: [sh, -c, "exit 0"]
      connections: [api]
      env: {TOKEN: {secret: service, key: token}, PLAIN: "1"}
"""
READ = """
pipeline: read
tasks:
  out: {copy: {from: {connection: shop, table: orders}, to: {path: out.ndjson}}}
  again: {needs: [out], trigger: {pipeline: load}}
  warn: {notify: {connection: shop, table: orders, when: "count(*) > 99", to: [pager], message: many}}
"""
SECRETS = {
    "WINDLASS_CONN_API": "http://me:hunter-2-hunter@127.0.0.1:1/",
    "WINDLASS_SECRET_SERVICE_TOKEN": "kanarienvogel",
}


@pytest.fixture
def shop(project: Callable[..., Path]) -> Path:
    return project(
        {
            "windlass.yaml": PROJECT,
            "pipelines/load.yaml": LOAD,
            "pipelines/read.yaml": READ,
            "orders.csv": "id,name\n1,Ada\n0,Bob\n",
        }
    )


def text_of(document: str) -> str:
    """What is to be read on the page, in one line."""
    body = re.sub(r"<(style|script)[^>]*>.*?</\1>", " ", document, flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", body)).split())


def row(document: str, mark: str) -> str:
    found = re.search(rf"<tr[^>]*{mark}.*?</tr>", document, re.DOTALL)
    assert found is not None, mark
    return text_of(found[0])


def test_the_pages_tell_all_of_a_project_but_no_value(
    shop: Path, windlass: Windlass, browser: Browser
) -> None:
    assert windlass("-C", shop, "run", "load", env=SECRETS).code == 0
    board = Path(windlass("-C", shop, "docs", env=SECRETS).stdout.strip())
    assert board == shop / ".windlass/docs/index.html"
    page = board.parent / "pipelines" / "load.html"
    files = [board, page, page.with_name("read.html")]
    assert sorted(board.parent.rglob("*.*")) == sorted(files)

    shown = text_of(browser(page))
    assert "Orders, </script><script>alert(1)</script> and <b>all</b>" in shown
    assert "30 2 * * * (Europe/Paris)" in shown
    assert "told on failure pager" in shown
    assert "told on recovery pager" in shown
    assert "region <i>north</i>" in shown
    assert "triggered by read" in shown
    document = page.read_text()
    orders = "orders copy orders.csv shop: orders (replace) id is not NULL id ≥ 1 bad rows are quarantined"
    assert row(document, 'data-task="orders"').startswith(orders)
    assert row(document, 'data-task="look"').startswith("look check shop: orders id is unique")
    warn = row(files[-1].read_text(), 'data-task="warn"')
    assert warn.startswith("warn notify shop: orders pager when count(*) > 99")
    assert "tells pager on success" in row(document, 'data-task="tell"')
    assert re.search(r'<g class="task" data-task="tell">', document)

    place = "the environment variable WINDLASS_CONN_API"
    assert row(document, 'data-need="api"') == f"api http WINDLASS_CONN_API yes {place} tell"
    assert (
        row(document, 'data-need="pager"')
        == "pager slack WINDLASS_CONN_PAGER yes not configured: a dev service stands in alerts"
    )
    assert "no not configured: a dev service stands in" in row(document, 'data-need="shop"')
    token = "service: token secret WINDLASS_SECRET_SERVICE_TOKEN yes the environment variable"
    assert row(document, 'data-need="service: token"').startswith(token)
    for file in files:
        for secret in ("hunter-2-hunter", "kanarienvogel"):
            assert secret not in file.read_text()

    assert "shop.orders read" in shown  # who reads it
    assert re.search(r"load-\S+ ✓ success .* by hand 3 1 1 ", shown)
    for file in files:
        for link in re.findall(r'href="([^"#]+)"', file.read_text()):
            assert link == "data:," or (file.parent / unquote(link)).is_file(), (file, link)
        assert re.findall(r"@import|url\(|\bsrc=", file.read_text()) == []


def test_the_board_is_searched_by_words_and_state(shop: Path, windlass: Windlass, browser: Browser) -> None:
    windlass("-C", shop, "run", "load", env=SECRETS)
    board = shop / "board.html"
    assert Path(windlass("-C", shop, "status", "--board", board).stdout.strip()) == board
    document = browser(board)  # whose policy lets its own script run, by which alone this is there:
    assert "2 of 2" in document
    shown = row(document, 'data-pipeline="load"')
    assert re.search(
        r"✓ success (just now|\d+ minutes? ago) .* 30 2 \* \* \* next .* Europe/Paris 1 1 ", shown
    )
    assert "never ran" in row(document, 'data-pipeline="read"')

    board.write_text(re.sub(r"script-src [^\"]*", "script-src 'unsafe-inline'", board.read_text()))
    acting = """
      const shown = () => [...document.querySelectorAll("tbody tr:not([hidden])")].map(row => row.dataset.pipeline);
      const search = document.getElementById("search");
      const found = {};
      for (const words of ["NDJSON out", "sales", "ZURICH", "zürich", "zu\u0308rich", "shop.orders", "nobody"]) {
        search.value = words;
        search.dispatchEvent(new Event("input"));
        found[words] = shown();
      }
      search.value = "";
      for (const button of document.querySelectorAll("button")) { button.click(); found[button.textContent] = shown(); }
      document.body.textContent = JSON.stringify(found);
    """
    found = json.loads(text_of(browser(board, acting)).partition("windlass ")[2])
    assert found == {
        "NDJSON out": ["read"],
        "sales": ["load"],
        "ZURICH": ["load"],
        "zürich": ["load"],
        "zu\u0308rich": ["load"],
        "shop.orders": ["load", "read"],
        "nobody": [],
        "all": ["load", "read"],
        "failed": [],
        "late": [],
        "quarantined": ["load"],
        "never ran": ["read"],
    }


LONG = "_".join(["a_name_that_goes_on"] * 5)
WIDE = f"""
pipeline: {LONG}
tasks:
  {LONG}:
    run: {{command: [echo, hi], connections: [api]}}
  copy:
    needs: [{LONG}]
    copy: {{from: {{path: orders.csv}}, to: {{path: {LONG}/{LONG}.csv}}, on_bad_row: quarantine}}
"""


def test_long_names_are_broken_and_short_words_are_not(
    shop: Path, windlass: Windlass, browser: Browser
) -> None:
    (shop / "pipelines" / "wide.yaml").write_text(WIDE)
    windlass("-C", shop, "run", LONG)
    windlass("-C", shop, "docs")
    page = shop / ".windlass" / "docs" / "pipelines" / f"{LONG}.html"
    policy = "img-src data:"
    page.write_text(page.read_text().replace(policy, f"{policy}; script-src 'unsafe-inline'"))
    acting = """
      const tables = [...document.querySelectorAll(".list:not(.runs)")];
      const cells = tables.flatMap(table => [...table.querySelectorAll("tbody td:not(.code)")]);
      const range = document.createRange();
      const lines = cell => { range.selectNodeContents(cell); return range.getClientRects().length; };
      const words = cells.filter(cell => /^\\w{1,5}$/.test(cell.textContent));
      document.body.textContent = JSON.stringify({
        wide: tables.filter(table => table.offsetWidth > table.parentElement.clientWidth).map(table => table.className),
        words: words.map(cell => cell.textContent),
        broken: words.filter(cell => lines(cell) > 1).map(cell => cell.textContent),
      });
    """
    found = json.loads(text_of(browser(page, acting)).partition("windlass ")[2])
    assert {"run", "copy"} <= set(found["words"])
    assert (found["wide"], found["broken"]) == ([], [])


def test_a_folder_keeps_what_somebody_else_put_there(shop: Path, windlass: Windlass) -> None:
    out = shop / "site"
    assert windlass("-C", shop, "docs", "--out", out).code == 0
    (out / "pipelines" / "notes.html").write_text("<p>mine</p>")
    (out / "notes.txt").write_text("mine")
    (shop / "pipelines" / "read.yaml").unlink()
    assert windlass("-C", shop, "docs", "--out", out).code == 0
    names = sorted(str(file.relative_to(out)) for file in out.rglob("*.*"))
    assert names == ["index.html", "notes.txt", "pipelines/load.html", "pipelines/notes.html"]

    (out / "index.html").write_text("<p>mine</p>")
    before = (out / "pipelines" / "load.html").read_bytes()
    refused = windlass("-C", shop, "docs", "--out", out)
    assert refused.code == 2
    assert "index.html is not a page that `windlass docs` wrote" in refused.stderr
    assert (out / "index.html").read_text() == "<p>mine</p>"
    assert (out / "pipelines" / "load.html").read_bytes() == before
