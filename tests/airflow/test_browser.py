"""Airflow's page in a real browser, as somebody sees it who follows the README. Takes the pictures of the manual."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from typing import TYPE_CHECKING
from urllib.parse import unquote

import pytest

from tests.airflow.proof import Proof
from tests.conftest import BROWSER_OPTIONS, ROOT, browser_program, missing
from tests.examples.expected import SALES

if TYPE_CHECKING:
    from playwright.sync_api import Page, ViewportSize

Picture = Callable[[str, int], None]

_SIZE_LIMIT = 200_000
_WAIT = 90_000  # milliseconds; only a task that never ends takes as long

_VIEW: ViewportSize = {"width": 1280, "height": 640}
_TICK = '[d="M20 6 9 17l-5-5"]'  # what the grid draws for success

# The command line in a task's log has folders of the machine in it; a picture has none.
_WITHOUT_FOLDERS = r"""
const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walk.nextNode())
    walk.currentNode.data = walk.currentNode.data
        .replace(/\S+ -m windlass -C \S+/, 'windlass -C examples/pg2pg')
        .replace(/--plan \S+/, '--plan plan.json');
"""


@pytest.fixture
def page(proof: Proof) -> Iterator[Page]:
    """A page in a browser of its own, light, without an account."""
    if find_spec("playwright") is None:
        missing("playwright")
    from playwright.sync_api import sync_playwright

    options = [*BROWSER_OPTIONS, "--no-proxy-server"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_program(), args=options)
        context = browser.new_context(viewport=_VIEW, color_scheme="light")
        context.set_default_timeout(_WAIT)
        yield context.new_page()
        browser.close()


@pytest.fixture
def picture(page: Page, request: pytest.FixtureRequest) -> Picture:
    """Writes a picture of the page for the manual, on request only, like a golden file."""

    def take(name: str, height: int) -> None:
        if not request.config.getoption("--update-golden"):
            return
        assert not os.environ.get("CI"), "pictures are never taken on CI"
        page.set_viewport_size({"width": 1280, "height": height})
        page.mouse.move(640, 2)
        page.wait_for_timeout(1500)  # until what moves has come to rest
        file = ROOT / "docs" / "images" / f"airflow-{name}.png"
        file.write_bytes(page.screenshot())
        assert file.stat().st_size <= _SIZE_LIMIT
        page.set_viewport_size(_VIEW)

    return take


def test_a_pipeline_is_triggered_and_followed_to_the_rows_that_it_moved(
    proof: Proof, page: Page, picture: Picture
) -> None:
    log_in(page, proof)
    page.goto(f"{proof.up.url}/dags/pg2pg")
    page.get_by_role("button", name="Trigger").click()
    form = page.get_by_role("dialog")
    assert form.locator("[name='element_table']").input_value() == "tb_trx_src"
    picture("trigger", 780)
    form.get_by_role("button", name="Trigger", exact=True).click()

    page.wait_for_url("**/dags/pg2pg/runs/manual__*")
    run = unquote(page.url.rpartition("/")[2])
    page.get_by_test_id("state-badge").get_by_text("Success").first.wait_for()
    cell = page.get_by_test_id(f"grid-{run}-transfer_data")
    cell.locator(_TICK).wait_for()

    page.get_by_role("button", name="Show Graph").click()
    task = page.locator(".react-flow__node", has_text="transfer_data")
    task.get_by_text("success").wait_for()
    picture("graph", 640)

    page.get_by_role("button", name="Show Grid").click()
    cell.click()
    page.get_by_text(f"done: {SALES:,} rows read, {SALES:,} written, 0 quarantined").wait_for()
    page.evaluate(_WITHOUT_FOLDERS)
    picture("log", 640)


def log_in(page: Page, proof: Proof) -> None:
    page.goto(proof.up.url)
    page.get_by_label("Username").fill("admin")
    page.get_by_label("Password").first.fill(proof.up.password)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("link", name="Dags").wait_for()
