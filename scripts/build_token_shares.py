"""`python scripts/build_token_shares.py --gleif FILE --ror FILE`: writes app/matching/data/token_shares.txt.

What share of organisations' names holds a word, after normalisation, from the legal names of GLEIF and the names of ROR (both
CC0 1.0; CSV with a column `name`, gzipped or not). To be run when `NORMALISER_VERSION` changes how a word is spelled, and
again where it has written another file: what is no misspelling is read from it.
"""

from __future__ import annotations

import argparse
import csv
import gzip
from collections import Counter
from pathlib import Path

from app.matching.legal_forms import company_forms
from app.matching.organisations import organisation_name
from app.matching.text import fold

SHARES = Path(__file__).parent.parent / "app" / "matching" / "data" / "token_shares.txt"
_ROR_WEIGHT = 0.27
"""ROR is the smaller register, of other kinds of organisations."""
_LEAST_SHARE = 3e-5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gleif", type=Path, required=True)
    parser.add_argument("--ror", type=Path, required=True)
    chosen = parser.parse_args()
    gleif, ror = _shares(chosen.gleif), _shares(chosen.ror)
    mixed = {
        word: (1 - _ROR_WEIGHT) * gleif.get(word, 0.0) + _ROR_WEIGHT * ror.get(word, 0.0) for word in {*gleif, *ror}
    }
    kept = sorted((-share, word) for word, share in mixed.items() if share >= _LEAST_SHARE)
    lines = [
        "# Share of organisation names in which a token stands, after normalisation. From GLEIF and ROR names (both CC0 1.0).",
        *(f"{word}\t{-share:.2e}" for share, word in kept),
    ]
    SHARES.write_text("\n".join(lines) + "\n", "utf-8")


def _shares(path: Path) -> dict[str, float]:
    with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as file:
        names = [_words(row["name"]) for row in csv.DictReader(file)]
    counts = Counter(word for words in names for word in words)
    return {word: count / len(names) for word, count in counts.items()}


def _words(name: str) -> set[str]:
    """Forms are cut off a name, but they stand in texts and addresses, and nothing is less rare there."""
    return {*organisation_name(name).tokens, *company_forms().intersection(fold(name).split())}


if __name__ == "__main__":
    main()
