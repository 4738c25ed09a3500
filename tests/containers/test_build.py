"""Images without a Dockerfile, built on a real engine, and the run that uses them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

from tests.conftest import Output
from windlass.runtimes.docker.engine import Engine

Windlass = Callable[..., Output]

FILES = {
    "windlass.yaml": """
project: built
runtimes: {default: docker}
libraries: {words: libraries/words, extra: libraries/extra}
""",
    "pipelines/p.yaml": """
pipeline: p
tasks:
  py: {run: {build: steps/py, command: [python, main.py], libraries: words, user: image}}
  js: {run: {build: steps/js, command: [node, dist/main.js], libraries: [words], user: image}}
""",
    "libraries/words/__init__.py": "said = 'in Python'\n",
    "libraries/words/index.js": "exports.said = 'in JavaScript'\n",
    "libraries/extra/__init__.py": "",
    "steps/py/requirements.txt": "six==1.17.0\n",
    "steps/py/main.py": "import os, pathlib, six, words\nprint(six.__version__, words.said, os.getuid(), [*map(str, pathlib.Path('/libraries').iterdir())])\n",
    "steps/py/.env": "SECRET=cnry-5fb1c3\n",
    "steps/js/package.json": json.dumps(
        {
            "dependencies": {"is-odd": "3.0.1"},
            "devDependencies": {"typescript": "5.6.3"},
            "scripts": {"build": "tsc"},
        }
    ),
    "steps/js/tsconfig.json": json.dumps(
        {"compilerOptions": {"outDir": "dist", "rootDir": "src", "module": "commonjs", "target": "es2022"}}
    ),
    "steps/js/src/main.ts": """
declare function require(name: string): any;
declare const process: any;
const missing = (() => { try { require("typescript"); return "there"; } catch { return "left out"; } })();
console.log(require("is-odd")(3), require("words").said, process.getuid(), missing);
""",
}


def events(done: Output, event: str) -> list[dict[str, Any]]:
    found = [json.loads(line) for line in done.stderr.splitlines() if line.startswith("{")]
    return [record for record in found if record.get("event") == event]


def test_steps_of_two_languages_are_built_once_and_run_as_they_were_built(
    windlass: Windlass, project: Callable[..., Path], buildkit: Engine
) -> None:
    root = project({**FILES, "steps/py/of-this-test": uuid4().hex, "steps/js/of-this-test": uuid4().hex})
    built = windlass("-C", root, "build", "--json")
    again = windlass("-C", root, "build", "--json")
    images = built.json["images"]
    statuses = [[image["status"] for image in done.json["images"]] for done in (built, again)]
    assert statuses == [["built", "built"], ["up_to_date", "up_to_date"]]
    done = windlass("-C", root, "run", "p", "--json")
    assert events(done, "image_build") == []
    said = {record["task"]: record["message"] for record in events(done, "output")}
    assert said == {
        "py": "1.17.0 in Python 1000 ['/libraries/words']",
        "js": "true in JavaScript 1000 left out",
    }
    for image in images:
        labels = buildkit.client.inspect_image(image["image"])["Config"]["Labels"]
        assert labels["org.opencontainers.image.title"] == f"built-{image['name']}"
        assert labels["windlass.input"] == image["input"]
        assert "cnry-5fb1c3" not in str(buildkit.client.history(image["image"]))
    env = buildkit.client.create_container(images[1]["image"], "ls -A /app")["Id"]
    buildkit.client.start(env)
    buildkit.client.wait(env)
    assert ".env" not in buildkit.client.logs(env).decode().split()
    buildkit.client.remove_container(env)
    # what nobody uses is no reason; what both use is one for both
    (root / "libraries/extra/__init__.py").write_text("changed")
    assert windlass("-C", root, "build", "--plan").stdout.endswith("2 images, 0 to build\n")
    (root / "libraries/words/index.js").write_text("changed")
    plan = windlass("-C", root, "build", "--plan", "--json").json["images"]
    assert [image["why"] for image in plan] == [["libraries/words/index.js changed"]] * 2
    # a builder notices a change that leaves a file as long as it was
    (root / "libraries/words/__init__.py").write_text("said = 'in PYTHON'\n")
    changed = windlass("-C", root, "run", "p", "--task", "py", "--json")
    assert events(changed, "output")[0]["message"].startswith("1.17.0 in PYTHON 1000")
    images += [{"image": record["image"]} for record in events(changed, "image_build")]
    assert len(images) == 3
    for image in images:
        buildkit.client.remove_image(image["image"], force=True)
