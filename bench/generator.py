"""Makes masters of any size and dirty leads from the bundled companies; families, twins and recombinations are strangers."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

from app.sample import organisations

_FAMILY = ("Holdings", "Services", "International", "Capital", "Logistics", "Real Estate", "Ventures", "Energy")
_FORMS = ("Inc.", "Ltd", "GmbH", "S.A.", "AG", "LLC", "B.V.", "AB", "PLC")
_STREETS = ("Main St", "High Street", "Station Road", "Hauptstrasse", "Rue de la Gare", "Via Roma", "Market Square")
_FIRST = ("anna", "james", "wei", "maria", "lukas", "priya", "omar", "sofia")
_FREE_MAIL = ("gmail.com", "outlook.com", "web.de", "yahoo.com")
_SHARES = ((0.30, "family"), (0.75, "recombined"), (1.0, "twin"))


@dataclass(frozen=True)
class Company:
    id: str
    record: dict[str, Any]


@dataclass(frozen=True)
class Lead:
    company_id: str
    record: dict[str, Any]
    corruptions: list[str] = field(default_factory=list)


def generate(companies: int, leads: int, seed: int) -> tuple[list[Company], list[Lead]]:
    """Deterministic in its arguments; every lead's company is in the master."""
    rng = random.Random(seed)
    real = organisations()
    rng.shuffle(real)
    master = [_company(i, real, rng) for i in range(companies)]
    chosen = rng.sample(range(companies), leads)
    return master, [_lead(master[i], rng) for i in chosen]


def _company(i: int, real: list[dict[str, Any]], rng: random.Random) -> Company:
    base = real[i % len(real)]
    name, city, country, domain = base["name"], base["city"], base["country"], base["domain"]
    if i >= len(real):
        other = real[rng.randrange(len(real))]
        share = rng.random()
        kind = next(name for limit, name in _SHARES if share < limit)
        city, country = other["city"], other["country"]
        words, tail = name.split(), other["name"].split()
        if kind == "family":
            name = f"{' '.join(words[:2])} {rng.choice(_FAMILY)} {rng.choice(_FORMS)}"
        elif kind == "recombined":
            name = f"{words[0]} {' '.join(tail[-2:])}"
        domain = (
            f"{''.join(c for c in name.lower() if c.isalnum())[:20]}{rng.randrange(99)}.com"
            if rng.random() < 0.8
            else None
        )
    record = {
        "name": name,
        "domain": domain,
        "street": f"{rng.randrange(1, 400)} {rng.choice(_STREETS)}",
        "city": city,
        "postcode": f"{rng.randrange(10**5):05d}",
        "country": country,
        "phone": f"+{rng.randrange(1, 99)} {rng.randrange(10**8, 10**9)}" if rng.random() < 0.6 else None,
    }
    return Company(f"c{i}", record)


def _lead(company: Company, rng: random.Random) -> Lead:
    name, done = str(company.record["name"]), list[str]()
    for corruption in rng.sample(_CORRUPTIONS, rng.choice((0, 1, 1, 2, 3))):
        changed = corruption(name, rng)
        if changed and changed != name:
            name = changed
            done.append(corruption.__name__.strip("_"))
    domain, email = company.record["domain"], None
    share = rng.random()
    if domain and share < 0.55:
        email = f"{rng.choice(_FIRST)}@{'mail.' if share < 0.1 else ''}{domain}"
    elif share < 0.75:
        email = f"{rng.choice(_FIRST)}{rng.randrange(99)}@{rng.choice(_FREE_MAIL)}"
        done.append("free_mail")
    record = {
        "company": name,
        "email": email,
        "city": company.record["city"] if rng.random() < 0.7 else None,
        "country": company.record["country"] if rng.random() < 0.75 else None,
    }
    return Lead(company.id, record, done)


def _typo(name: str, rng: random.Random) -> str:
    if len(name) < 4:
        return name
    i = rng.randrange(1, len(name) - 1)
    swapped = name[:i] + name[i + 1] + name[i] + name[i + 2 :]
    return rng.choice((name[:i] + name[i + 1 :], swapped, name[:i] + name[i] + name[i:]))


def _other_form(name: str, rng: random.Random) -> str:
    return f"{name.rsplit(' ', 1)[0]} {rng.choice(_FORMS)}"


def _shouted(name: str, rng: random.Random) -> str:
    return name.upper()


def _turned(name: str, rng: random.Random) -> str:
    head, _, rest = name.partition(" ")
    return f"{rest}, {head}" if rest else name


def _joined(name: str, rng: random.Random) -> str:
    return name.replace(" ", "", 1)


def _cut(name: str, rng: random.Random) -> str:
    return name[: rng.randrange(12, 24)] if len(name) > 24 else name


def _dropped(name: str, rng: random.Random) -> str:
    words = name.split()
    return " ".join(words[:-1]) if len(words) > 2 else name


_CORRUPTIONS = (_typo, _typo, _other_form, _shouted, _turned, _joined, _cut, _dropped)
