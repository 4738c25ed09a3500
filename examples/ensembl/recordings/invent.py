"""Writes what is beside it, and the pairs of the step `extract`, which are made up: `python examples/ensembl/recordings/invent.py`.

The answers are in the form of Ensembl's `GET eqtl/variant_name/:species/:variant_name`, a file for each variant. The same
bytes come out every time.
"""

from __future__ import annotations

import json
from pathlib import Path
from random import Random

HERE = Path(__file__).parent
ANSWERS = HERE / "eqtl" / "variant_name" / "homo_sapiens"
IDS = HERE.parent / "steps" / "extract" / "ids.txt"

PAIRS = 20
TISSUES = (
    *("Adipose_Subcutaneous", "Artery_Tibial", "Brain_Cortex", "Colon_Transverse", "Heart_Left_Ventricle"),
    *(
        "Liver",
        "Lung",
        "Muscle_Skeletal",
        "Nerve_Tibial",
        "Skin_Sun_Exposed_Lower_leg",
        "Thyroid",
        "Whole_Blood",
    ),
)


def pairs(chance: Random) -> list[tuple[str, str]]:
    """Each once; but one variant has two genes, and one gene two variants. No such variant or gene exists."""
    variants = [f"rs99{chance.randrange(10**7):07}" for _ in range(PAIRS)]
    genes = [f"ENSG99{chance.randrange(10**9):09}" for _ in range(PAIRS)]
    variants[9] = variants[3]
    genes[14] = genes[10]
    return list(zip(variants, genes, strict=True))


def statistics(chance: Random, gene: str) -> list[dict[str, object]]:
    """A p-value and an effect for some of the tissues; of some only the one or the other."""
    found: list[dict[str, object]] = []
    for tissue in TISSUES:
        p_value, beta = 10 ** -(chance.random() ** 4 * 60), chance.gauss(0, 0.3)
        for statistic, value, known in (("p-value", p_value, 0.85), ("beta", beta, 0.9)):
            if chance.random() < known:
                shown = float(f"{value:.6g}")
                found.append({"gene": gene, "tissue": tissue, "statistic": statistic, "value": shown})
    chance.shuffle(found)
    return found


def main() -> None:
    """Write them all."""
    chance = Random(20200606)
    found = pairs(chance)
    IDS.write_text(
        "\n".join(f"{snp},{ensg}" for snp, ensg in found), encoding="utf-8"
    )  # without a last newline
    answers: dict[str, list[dict[str, object]]] = {snp: [] for snp, _ in found}
    for number, (snp, ensg) in enumerate(found, 1):
        answers[snp] += statistics(chance, ensg) if number != 7 else []  # of which nothing is known
    ANSWERS.mkdir(parents=True, exist_ok=True)
    for snp, answer in answers.items():
        lines = ",\n".join(json.dumps(line) for line in answer)
        text = f"[\n{lines}\n]\n" if answer else "[]\n"
        (ANSWERS / snp).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
