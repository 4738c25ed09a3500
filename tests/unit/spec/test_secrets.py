"""A secret in a file is refused, told where to put it, and never shown."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from windlass.errors import SpecError
from windlass.spec import load_project

SECRET = "hunter2-and-more"

Project = Callable[..., Path]


def refusal(root: Path) -> str:
    with pytest.raises(SpecError) as caught:
        load_project(root).checked()
    return str(caught.value)


@pytest.mark.parametrize(
    "value",
    [
        f"{{env: {{PASSWORD: {SECRET}}}}}",
        f"{{env: {{PGPASSWORD: '{SECRET}'}}}}",
        f"{{env: {{my-api-key: {SECRET}}}}}",
        f"{{env: {{A: 'postgresql://me:{SECRET}@host/db'}}}}",
        f"{{command: [curl, 'https://hooks.slack.com/services/{SECRET}']}}",
        f"{{env: {{A: 'ghp_{SECRET.replace('-', '')}{'x' * 30}'}}}}",
        f'{{env: {{A: "-----BEGIN PRIVATE KEY-----\\n{SECRET}\\n"}}}}',
        f"{{commands: 'postgresql://me:{SECRET}@host/db'}}",
        f"{{command: 5, build: [], env: {{Authorization: Bearer {SECRET}}}}}",
    ],
)
def test_a_secret_is_refused_and_not_shown(value: str, project: Project) -> None:
    shown = refusal(project({"pipelines/p.yaml": f"pipeline: p\ntasks: {{a: {{run: {value}}}}}\n"}))
    assert "keep it out of the file" in shown
    assert "WINDLASS_CONN_" in shown
    assert SECRET not in shown


def test_a_secret_in_a_line_that_is_no_yaml_is_not_shown(project: Project) -> None:
    text = f"pipeline: p\nenv: {{password: {SECRET}: x}}\n"
    assert SECRET not in refusal(project({"pipelines/p.yaml": text}))


def test_the_hint_names_the_variable_of_the_connection(project: Project) -> None:
    text = f"project: p\nconnections: {{pg-x: {{type: postgres, password: {SECRET}}}}}\n"
    shown = refusal(project({"windlass.yaml": text}))
    assert "set WINDLASS_CONN_PG_X in the environment or in .env" in shown


@pytest.mark.parametrize(
    "task",
    [
        "{copy: {from: {path: a.csv}, to: {path: b.csv}, select: {token: user_token, password: pw_hash}}}",
        "{copy: {from: {path: a.csv, columns: {password: text}}, to: {path: b.csv}}}",
        "{run: {command: [echo, 'https://host:8080/a@b'], env: {TOKEN: '{{ run_id }}', KEY: x}}}",
        "{download: {url: 'http://host/a', to: a, headers: {Accept: text/csv}}}",
    ],
)
def test_what_only_looks_a_little_like_a_secret_is_allowed(task: str, project: Project) -> None:
    load_project(project({"pipelines/p.yaml": f"pipeline: p\ntasks: {{a: {task}}}\n"}))


def test_where_a_login_has_its_token_is_no_secret(project: Project) -> None:
    """And what goes into it is no secret either; a token in its place still is."""
    auth = '{type: session, login: /login, token: "%s", body: {login: {username: "{user}", password: "%s"}}}'
    text = f"project: p\nconnections: {{a: {{type: http, auth: {auth}}}}}\n"
    for place in ("token", "data.token", "data[0].access_token"):
        load_project(project({"windlass.yaml": text % (place, "{password}")})).checked()
    for token, password in ((SECRET, "{password}"), ("data.token", SECRET), ("eyJhbGciOi1", "{password}")):
        assert "keep it out of the file" in refusal(project({"windlass.yaml": text % (token, password)}))
