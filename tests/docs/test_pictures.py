"""The picture of a report that README and manual show: of the example taxi, in a real browser."""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.conftest import BROWSER_OPTIONS, ROOT, Output, browser_program, missing
from tests.examples.expected import TRIPS

_SIZE_LIMIT = 200_000


def test_the_report_of_taxi_shows_what_its_tasks_moved(
    windlass: Callable[..., Output], example: Callable[[str], Path], request: pytest.FixtureRequest
) -> None:
    if find_spec("playwright") is None:
        missing("playwright")
    from playwright.sync_api import sync_playwright

    report = Path(windlass("-C", example("taxi"), "run", "taxi_csv", "--json").json["report"])
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_program(), args=BROWSER_OPTIONS)
        page = browser.new_page(viewport={"width": 1120, "height": 850}, color_scheme="light")
        page.goto(report.as_uri())
        shown = page.locator("body").inner_text()
        if request.config.getoption("--update-golden"):
            assert not os.environ.get("CI"), "pictures are never taken on CI"
            picture = ROOT / "docs" / "images" / "report.png"
            assert len(page.screenshot(path=picture)) <= _SIZE_LIMIT
        browser.close()
    assert "curl_task" in shown
    assert f"{TRIPS + 1:,}" in shown
    assert f"{TRIPS:,}" in shown
