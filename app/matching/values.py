"""Normal forms of values that are compared as a whole: hosts, e-mail addresses, phones, postcodes, numbers, identifiers."""

from __future__ import annotations

import re
from functools import cache, lru_cache
from importlib.resources import files
from typing import NamedTuple

import tldextract

from app.matching.text import fold, to_ascii

_HOST = re.compile(r"^(?:[a-z][a-z0-9+.-]*:/{1,2}|//|mailto:)?(?:[^/@\s]*@)?([^/:?#\s,;<>()]+)(?::\d+)?(/[^\s?#,;]+)?")
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
    """The registrable domain of a URL, host or e-mail address, the first of several.

    None when there is none: an IP address, one bare word, a page on a host where everybody has one.
    """
    address = "" if "/" in text else email(text)
    found = _HOST.match(address or text.strip().lower())
    if found is None:
        return None
    below, domain, suffix = _parts(_readable(found.group(1).strip(".")))
    if domain in _GENERIC and below:
        below, _, domain = below.rpartition(".")
    if not domain or not suffix:
        return None
    if found.group(2) and f"{domain}.{suffix}" in _page_hosts():
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


def _readable(text: str) -> str:
    """`xn--bcher-kva.de` is `bücher.de`; what is no such name stays."""
    if "xn--" not in text:
        return text
    try:
        return text.encode("ascii").decode("idna")
    except UnicodeError:
        return text


@cache
def free_mail_domains() -> frozenset[str]:
    """Domains whose addresses say nothing about an employer."""
    return _domains("free_mail.txt")


@cache
def _page_hosts() -> frozenset[str]:
    """Domains on which everybody may have a page: `linkedin.com/company/acme` is not Acme's domain."""
    return _domains("page_hosts.txt")


def _domains(name: str) -> frozenset[str]:
    return frozenset((files("app.matching.data") / name).read_text("utf-8").split())


_EMAIL = re.compile(r"[^\s<>()\[\],;:\"@]+@[^\s<>()\[\],;:\"@]+\.[^\s<>()\[\],;:\"@]+")
_GMAIL = {"gmail.com", "googlemail.com"}


def email(text: str) -> str:
    """The first address in a text, in lower case without a `+tag`, or "" when there is none.

    Addresses that Gmail delivers to one person are one: `Jo.Smith@googlemail.com` is `josmith@gmail.com`.
    """
    found = _EMAIL.search(text.lower())
    if found is None:
        return ""
    local, _, domain = found.group().strip(".").rpartition("@")
    local = local.split("+")[0]
    if domain in _GMAIL:
        return f"{local.replace('.', '')}@gmail.com"
    return f"{local}@{domain}" if local else ""


_EXTENSION = re.compile(r"(?i)(?<![a-z])(?:ext(?:n|ension)?|x|durchwahl|poste)(?![a-z])")
_NO_DIGITS = re.compile(r"\D+")


def phone(text: str) -> str:
    """The digits of a number without extension, trunk zeros and international prefix; "" under 6 digits.

    Numbers come with and without country code, so comparison reads them from the end.
    """
    main = to_ascii(text).replace("(0)", "")
    if main.upper() != main.lower():
        main = _EXTENSION.split(main, 1)[0]
    digits = _NO_DIGITS.sub("", main).lstrip("0")
    return digits if 6 <= len(digits) <= 17 else ""


_OF_COUNTRY = re.compile(r"^\s*[A-Za-z]{1,3}-(?=\d)")
_OF_SPREADSHEET = re.compile(r"^(\d+)\.0$")


def postal_code(text: str) -> str:
    """Upper-case letters and digits only, without the US `+4` part, a country's letters (`D-10115`) and a number's `.0`."""
    if "-" in text or "." in text:
        text = _OF_SPREADSHEET.sub(r"\1", _OF_COUNTRY.sub("", text).strip())
    code = fold(text).replace(" ", "").upper()
    if len(code) == 9 and code.isdigit() and "-" in text:
        return code[:5]
    return code


_NUMBER = re.compile(
    r"(-?\d{1,3}(?:([,.' ])\d{3})(?:\2\d{3})*(?!\d)|-?\d+)(?:[.,](\d+))?(e[+-]?\d{1,2}(?!\w))?", re.IGNORECASE
)


def number(text: str) -> str:
    """The first decimal number in a text as `repr(float)`, or ""; `1,299.50`, `1.299,50` and `1 299,50` are one.

    Three digits after a single sign are thousands after a comma, decimals after a point or a zero: `1,299`, `1.299`, `0,125`.
    """
    found = _NUMBER.search(to_ascii(text))
    if not found:
        return ""
    whole, sign, decimals, exponent = found.groups(default="")
    parts = whole.split(sign) if sign else [whole]
    if sign and not decimals and len(parts) == 2 and (sign == "." or parts[0] in ("0", "-0")):
        parts, decimals = parts[:1], parts[1]
    return repr(float(f"{''.join(parts)}.{decimals or 0}{exponent}"))


def identifier(text: str) -> str:
    """Letters and digits only, lower case: `DE 123-456` is `de123456`."""
    return fold(text).replace(" ", "")
