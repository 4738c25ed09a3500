"""Asks Ensembl for the pairs START to END of ids.txt, both included, the first being 1: `extract.py START END`.

The answers go to a file of the workspace, `ensemblSTART-END.json`; with MODE=API they are posted to TRANSFORM_URL.
Any answer but 2xx fails the step.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import requests

IDS = Path(__file__).with_name("ids.txt")
TIMEOUT = 60  # seconds


def pairs(first: int, last: int) -> list[tuple[str, str]]:
    """Those pairs of a variant and a gene."""
    lines = IDS.read_text(encoding="utf-8").splitlines()
    if not 1 <= first <= last <= len(lines):
        sys.exit(f"there are pairs 1 to {len(lines)}, and none {first} to {last}")
    return [(snp, ensg) for snp, _, ensg in (line.partition(",") for line in lines[first - 1 : last])]


def associations(api: requests.Session, snp: str, ensg: str) -> list[dict[str, Any]]:
    """What is known of the effect of a variant on a gene: a statistic for each tissue."""
    base = os.environ["ENSEMBL_URL"].rstrip("/")
    answer = api.get(
        f"{base}/eqtl/variant_name/homo_sapiens/{snp}?statistic=p-value;stable_id={ensg}", timeout=TIMEOUT
    )
    answer.raise_for_status()
    # a server that takes no notice of parameters, as the one of the recordings, tells of other genes, too
    return [found for found in answer.json() if found["gene"] == ensg]


def hand_over(found: list[dict[str, Any]], first: int, last: int) -> None:
    """To whoever transforms it."""
    if os.environ.get("MODE", "FILE") == "API":
        answer = requests.post(f"{os.environ['TRANSFORM_URL']}/transform", json=found, timeout=TIMEOUT)
        answer.raise_for_status()
        return
    file = Path(os.environ["WINDLASS_WORKSPACE"]) / f"ensembl{first}-{last}.json"
    part = file.with_name(f"{file.name}.part")
    part.write_text(json.dumps(found), encoding="utf-8")
    part.replace(file)


def main(first: int, last: int) -> None:
    with requests.Session() as api:
        api.headers["Content-Type"] = "application/json"
        found = [
            {"snp": snp, "ensg": ensg, "data": associations(api, snp, ensg)}
            for snp, ensg in pairs(first, last)
        ]
    hand_over(found, first, last)
    result = {"event": "result", "rows_read": len(found), "rows_written": len(found)}
    sys.stdout.write(f"{json.dumps(result)}\n")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
