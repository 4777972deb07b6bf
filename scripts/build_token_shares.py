"""`python scripts/build_token_shares.py`: what share of names holds a word, from public registers, for app/matching/data.

Organisations: the legal names of a GLEIF file and the names of a ROR file (both CC0 1.0; CSV with a column `name`), after
normalisation. Persons: US Census surnames with counts (public domain), and lists of common given and family names by country
(popular-names-by-country, CC0 1.0). To be run when `NORMALISER_VERSION` changes how a word is spelled.
"""

from __future__ import annotations

import argparse
import csv
import gzip
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from app.matching.organisations import organisation_name
from app.matching.people import nicknames, person_name

DATA = Path(__file__).parent.parent / "app" / "matching" / "data"
_ROR_WEIGHT = 0.27
"""ROR is the smaller register, but of other kinds of organisations."""
_LEAST_SHARE = 3e-5
_US_RESIDENTS = 295e6
_US_WEIGHT = 0.35
_UNRANKED = 50
_KNOWN_GIVEN_NAME = 3e-4
"""A given name that has nicknames is at least so common: a thousand of them cover a third of all people."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("gleif", "ror", "us-surnames", "forenames", "surnames"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    chosen = parser.parse_args()
    gleif, ror = (_words_of_organisations(_rows(path)) for path in (chosen.gleif, chosen.ror))
    organisations = _mixed(gleif, ror, _ROR_WEIGHT)
    _write(
        "token_shares.txt",
        "Share of organisation names in which a token stands, after normalisation. From GLEIF and ROR names (both CC0 1.0).",
        organisations,
    )
    census = {row["name"].lower(): int(row["count"]) / _US_RESIDENTS for row in _rows(chosen.us_surnames)}
    family = _mixed(_by_country(_rows(chosen.surnames), _of_surname), census, _US_WEIGHT)
    given = _by_country(_rows(chosen.forenames), _of_forename)
    persons = {word: family.get(word, 0.0) + given.get(word, 0.0) for word in {*family, *given}}
    for word in nicknames():
        persons[word] = max(persons.get(word, 0.0), _KNOWN_GIVEN_NAME)
    _write(
        "person_shares.txt",
        "Share of persons in whose name a word stands. From US surnames (public domain), common names by country (CC0 1.0).",
        persons,
    )


def _rows(path: Path) -> Iterator[dict[str, str]]:
    with (
        gzip.open(path, "rt", encoding="utf-8-sig") if path.suffix == ".gz" else path.open(encoding="utf-8-sig") as file
    ):
        yield from csv.DictReader(file)


def _words_of_organisations(rows: Iterable[dict[str, str]]) -> dict[str, float]:
    names = [set(organisation_name(row["name"]).tokens) for row in rows]
    counts = Counter(word for words in names for word in words)
    return {word: count / len(names) for word, count in counts.items()}


def _mixed(one: Mapping[str, float], other: Mapping[str, float], weight: float) -> dict[str, float]:
    """`weight` is that of the other."""
    return {word: (1 - weight) * one.get(word, 0.0) + weight * other.get(word, 0.0) for word in {*one, *other}}


def _of_surname(row: Mapping[str, str]) -> float:
    return float(row["Percent"] or 0.012 * int(row["Rank"] or _UNRANKED) ** -0.6)


def _of_forename(row: Mapping[str, str]) -> float:
    """Women and men have lists of their own, each of half the country."""
    return 0.012 * int(row["Index"]) ** -0.5


def _by_country(rows: Iterable[dict[str, str]], share_of: Callable[[Mapping[str, str]], float]) -> dict[str, float]:
    """The mean over countries of the share of people who bear a name; of its ranks in a country the best counts."""
    found: dict[str, dict[str, float]] = defaultdict(dict)
    for row in rows:
        share = share_of(row)
        for word in person_name(row["Romanized Name"] or row["Localized Name"]).split():
            of_country = found[row["Country"]]
            of_country[word] = max(of_country.get(word, 0.0), share)
    words = {word for of_country in found.values() for word in of_country}
    return {word: sum(of_country.get(word, 0.0) for of_country in found.values()) / len(found) for word in words}


def _write(name: str, about: str, shares: Mapping[str, float]) -> None:
    kept = sorted(
        ((word, share) for word, share in shares.items() if share >= _LEAST_SHARE), key=lambda pair: (-pair[1], pair[0])
    )
    lines = [f"# {about}", *(f"{word}\t{share:.2e}" for word, share in kept)]
    (DATA / name).write_text("\n".join(lines) + "\n", "utf-8")
    print(f"{name}: {len(kept)} words")


if __name__ == "__main__":
    main()
