"""Normal forms of values that are compared as a whole: hosts, phones, postcodes, countries, dates, numbers."""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import cache, lru_cache
from importlib.resources import files
from typing import NamedTuple

import tldextract

from app.matching.text import STOP_WORDS, fold, fold_cached

_HOST = re.compile(r"^(?:[a-z][a-z0-9+.-]*://|//|mailto:)?(?:[^/@]*@)?([^/:?#\s]+)")
_HOST_ENDS = re.compile(r"[.-]")
_SERVICES = frozenset("www www2 www1 web mail email smtp mx webmail en de fr es it home portal info".split())
_GENERIC = frozenset("com co org net ac gov edu".split())
"""Names of a registry's own; before a suffix they are a slip: `acme.co.co.uk`, `acme.com.com`."""
_extract = tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None, include_psl_private_domains=True)


class Host(NamedTuple):
    """A registrable domain (`acme.co.uk`) and the label that its owner chose (`acme`)."""

    domain: str
    label: str
    parts: tuple[str, ...] = ()
    """Words below and inside the label: `ist` of `ist.fraunhofer.de`, `uni` and `bonn` of `uni-bonn.de`."""


@lru_cache(maxsize=65_536)
def host(text: str) -> Host | None:
    """The registrable domain of a URL, host or e-mail address; None when there is none (an IP address, one bare word)."""
    found = _HOST.match(text.strip().lower())
    if found is None:
        return None
    below, domain, suffix = _parts(found.group(1).strip("."))
    if domain in _GENERIC and below:
        below, _, domain = below.rpartition(".")
    if not domain or not suffix:
        return None
    label = fold(domain).replace(" ", "")
    words = dict.fromkeys(_HOST_ENDS.split(f"{below}.{domain}"))
    others = tuple(word for word in words if len(word) > 1 and word != label and word not in _SERVICES)
    return Host(f"{domain}.{suffix}", label, others)


def _parts(text: str) -> tuple[str, str, str]:
    """What stands below the registrable domain, its own part, and the suffix.

    Suffixes under which a company lets others have names count (`acme.uk.com`, `acme.myshopify.com`), but not for itself.
    """
    parts = _extract.extract_str(text)
    if not parts.domain:
        parts = _extract.extract_str(text, include_psl_private_domains=False)
    return parts.subdomain, parts.domain, parts.suffix


@cache
def free_mail_domains() -> frozenset[str]:
    """Domains whose addresses say nothing about an employer."""
    return frozenset((files("app.matching.data") / "free_mail.txt").read_text("utf-8").split())


def email(text: str) -> str:
    """The address in lower case without a `+tag`, or "" when it is none."""
    local, at, domain = text.strip().lower().rpartition("@")
    if not at or not local or "." not in domain:
        return ""
    return f"{local.split('+')[0]}@{domain}"


_EXTENSION = re.compile(r"(?i)\b(?:ext|x|extension)\b")
_NO_DIGITS = re.compile(r"\D+")


def phone(text: str) -> str:
    """The digits of a number without extension, trunk zeros and international prefix; "" under 6 digits.

    Numbers come with and without country code, so comparison reads them from the end.
    """
    main = _EXTENSION.split(text, 1)[0] if "x" in text or "X" in text else text
    digits = _NO_DIGITS.sub("", main).lstrip("0")
    return digits if 6 <= len(digits) <= 17 else ""


def postal_code(text: str) -> str:
    """Upper-case letters and digits only; the US `+4` part goes."""
    code = fold(text).replace(" ", "").upper()
    if len(code) == 9 and code.isdigit() and "-" in text:
        return code[:5]
    return code


@cache
def _countries() -> dict[str, str]:
    lines = (files("app.matching.data") / "countries.txt").read_text("utf-8").splitlines()
    return {name: line.split("\t")[0] for line in lines if not line.startswith("#") for name in line.split("\t")[1:]}


@cache
def _countries_by_word() -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    for name, code in _countries().items():
        for word in name.split():
            if len(word) > 2 and word not in STOP_WORDS:
                found.setdefault(word, set()).add(code)
    return {word: frozenset(codes) for word, codes in found.items()}


def countries_called(words: Collection[str]) -> dict[str, frozenset[str]]:
    """Of those words that stand in a country's name, the codes of all such countries (`deutschland`, `germany`: de)."""
    known = _countries_by_word()
    return {word: known[word] for word in known.keys() & set(words)}


@lru_cache(maxsize=16_384)
def country(text: str) -> str:
    """The ISO 3166 alpha-2 code, in lower case, of a code or a name in one of many languages; else the folded text."""
    folded = fold_cached(text)
    if len(folded) == 2 and folded != "uk":
        return folded
    return _countries().get(folded, folded)


def country_in_text(tokens: list[str]) -> str:
    """The country that a free text ends with or names in its last four words, or ""."""
    table = _countries()
    for length in (4, 3, 2, 1):
        if len(tokens) > length:
            code = table.get(" ".join(tokens[-length:]))
            if code and (length > 1 or len(tokens[-1]) > 2):
                return code
    return ""


_ISO_DATE = re.compile(r"^(\d{4})-?(\d{2})-?(\d{2})(?!\d)")
_DAY_FIRST = re.compile(r"^(\d{1,2})[./-](\d{1,2})[./-](\d{4})$")


def date(text: str) -> str:
    """`YYYYMMDD`, `YYYY` when only the year is known, "" when it is no date; `12/31/1999` and `31.12.1999` are one day."""
    text = text.strip()
    found = _ISO_DATE.match(text)
    if found:
        return "".join(found.groups())
    found = _DAY_FIRST.match(text)
    if found:
        first, second, year = int(found[1]), int(found[2]), found[3]
        if "/" in text and first <= 12:
            first, second = second, first
        return f"{year}{min(second, 99):02d}{first:02d}"
    year_found = re.search(r"\b(1[5-9]\d\d|20\d\d)\b", text)
    return year_found[1] if year_found else ""


def number(text: str) -> str:
    """The first decimal number in a text as `repr(float)`, or ""."""
    found = re.search(r"-?\d[\d,]*\.?\d*", text)
    if not found:
        return ""
    try:
        return repr(float(found.group().replace(",", "")))
    except ValueError:
        return ""


def identifier(text: str) -> str:
    """Letters and digits only, lower case: `DE 123-456` is `de123456`."""
    return fold(text).replace(" ", "")
