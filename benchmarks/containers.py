"""`python -m benchmarks containers`: what a step in a container costs over `docker run` of the same image.

Rounds of both in turn: a pipeline of so many steps, one after the other, each of which does nothing; and as many `docker run
--rm`. A step of windlass has its log read, its end inspected and its container removed, as `docker run --rm` does.

Then `windlass build` of so many images that share libraries: where the engine has all of them, and what a changed library takes to see.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

__all__ = ["main"]


def main(arguments: list[str]) -> int:
    """Measure. Returns the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--image", default="python:3.12-slim")
    parser.add_argument("--steps", type=int, default=10, help="how many, one after the other")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--images", type=int, default=30, help="how many `windlass build` looks at")
    options = parser.parse_args(arguments)
    bare, steps, runs = [], [], []
    with tempfile.TemporaryDirectory(prefix="windlass-bench-") as name:
        project = _project(Path(name), options.image, options.steps)
        for _ in range(options.rounds):
            bare += [_seconds("docker", "run", "--rm", options.image, "true") for _ in range(options.steps)]
            began = time.monotonic()
            steps += _steps(project)
            runs.append(time.monotonic() - began)
    times = {"docker run": bare, "a step": steps}
    for what, seconds in times.items():
        sys.stdout.write(f"{what:12} {statistics.median(seconds):.3f} s (median of {len(seconds)})\n")
    over = statistics.median(steps) - statistics.median(bare)
    whole = statistics.median(runs)
    sys.stdout.write(f"a step costs {over:+.3f} s; `windlass run` of {options.steps} in all {whole:.1f} s\n")
    _build(options.image, options.images, options.rounds)
    return 0


_LIBRARIES, _FILES, _LINES = 5, 20, 200


def _build(image: str, images: int, rounds: int) -> None:
    """Measure `windlass build` where there is nothing to build, and what it takes to see what there is."""
    with tempfile.TemporaryDirectory(prefix="windlass-bench-") as name:
        project = Path(name)
        _dashboard(project, image, images)
        command = [sys.executable, "-m", "windlass", "-C", str(project), "build"]
        began = time.monotonic()
        done = subprocess.run([*command, "--json"], check=True, capture_output=True, text=True)
        sys.stdout.write(f"{images} images built in {time.monotonic() - began:.1f} s\n")
        nothing = [_seconds(*command) for _ in range(rounds)]
        (project / "libraries/library_0/module_0.py").write_text("changed = True\n")
        planned = [_seconds(*command, "--plan") for _ in range(rounds)]
        for what, seconds in {"nothing to build": nothing, "a library changed (--plan)": planned}.items():
            sys.stdout.write(f"{what}: {statistics.median(seconds):.2f} s (median of {rounds})\n")
        built = [found["image"] for found in json.loads(done.stdout)["images"]]
        subprocess.run(["docker", "rmi", "--force", *built], check=True, capture_output=True)


def _dashboard(root: Path, image: str, images: int) -> None:
    libraries = {f"library_{i}": f"libraries/library_{i}" for i in range(_LIBRARIES)}
    (root / "windlass.yaml").parent.mkdir(exist_ok=True)
    (root / "windlass.yaml").write_text(json.dumps({"project": "bench", "libraries": libraries}))
    folders = [*libraries.values(), *(f"steps/step_{i}" for i in range(images))]
    for folder in folders:
        (root / folder).mkdir(parents=True)
        for i in range(_FILES):
            (root / folder / f"module_{i}.py").write_text(f"# {folder}\n" * _LINES)
    (root / "pipelines").mkdir()
    for i in range(images):
        (root / f"steps/step_{i}/Dockerfile").write_text(f"FROM {image}\nCOPY . /app\n")
        used = [f"library_{i % _LIBRARIES}", f"library_{(i + 1) % _LIBRARIES}"]
        run = {"build": f"steps/step_{i}", "command": ["true"], "libraries": used}
        pipeline = {"pipeline": f"pipeline_{i}", "tasks": {"step": {"run": run}}}
        (root / f"pipelines/pipeline_{i}.yaml").write_text(json.dumps(pipeline))


def _project(root: Path, image: str, steps: int) -> Path:
    (root / "pipelines").mkdir()
    (root / "windlass.yaml").write_text("project: bench\n")
    tasks = {
        f"step_{i}": {"needs": [f"step_{i - 1}"] if i else [], "run": {"image": image, "command": ["true"]}}
        for i in range(steps)
    }
    (root / "pipelines/steps.yaml").write_text(json.dumps({"pipeline": "steps", "tasks": tasks}))
    return root


def _seconds(*command: str) -> float:
    began = time.monotonic()
    subprocess.run(command, check=True, capture_output=True)
    return time.monotonic() - began


def _steps(project: Path) -> list[float]:
    """How long each step took, from before its container is made until that is removed."""
    command = [sys.executable, "-m", "windlass", "-C", str(project), "run", "steps", "--json"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return [task["seconds"] for task in json.loads(done.stdout)["tasks"]]
