"""Organisation names: the legal form set apart, common words in one spelling, the acronym made."""

from __future__ import annotations

import re
from functools import cache, lru_cache
from importlib.resources import files
from itertools import pairwise
from typing import NamedTuple

import yaml

from app.matching.foreign_words import ENDS, rebuilt
from app.matching.legal_forms import LegalForm, split_legal_form, without_and
from app.matching.text import fold, initials
from app.matching.translations import readings, spell_out, translate_phrases, word_translations

_MAX_ACRONYM_WORDS = 12
_MAX_ACRONYM_CHARS = 10
_FOOTNOTE = re.compile(r"(?<![A-Za-z0-9])(\d{1,2}|[a-h])(?=[A-Z][a-z]{3})")
"""The mark of a footnote that runs into the first word of an affiliation: `1Columbia University`, `bInstitute of …`."""
_LONG_TEXT_CHARS = 40
_GLUED = re.compile(r"(?<=[a-z]{3})(?=[A-Z][a-z]{2})|(?<=[A-Za-z]{3})(?=\d{4})|(?<=\d{4})(?=[A-Z][a-z])")
"""Where lines of a text may have run into each other: `EngineeringKettering`, `Nanchang330031People`."""
_OF_ADDRESSES = frozenset(
    "university institute department school college faculty hospital center laboratory academy science engineering division "
    "medical research technology".split()
)
"""Words of which one must be among the parts, or a number: `ExxonMobil` stays whole."""
_PAR_VALUE = re.compile(
    r"(?<=\S)\s+(?:DL|LS|EO|SF|HD|YC|CD|AD|SD|DK|NK|SK|ZY|BA|SW|RB)\s?-?[,.]?\d[\d,.]*$|\s+(?:INH\.? ?)?O\.N\.$"
)
"""How German exchanges end a name: currency and par value of the share (`DL-,01`, `O.N.`)."""
_PAR_VALUE_ENDS = (*"0123456789.,",)
_ROMAN = ("ii", "iii", "iv", "vi", "vii", "viii", "ix", "xi", "xii")
"""What is a number in any name."""
_ROMAN_DIGITS = {"i": 1, "v": 5, "x": 10, "l": 50, "c": 100}
_SERIES = frozenset(
    "fund partner capital trust series phase volume holding investment venture opportunity portfolio property".split()
)
_SERIES_NUMBER = re.compile(r"(?=[ivxl])(x[lc]|l?x{0,3})(i[xv]|v?i{0,3})")
"""What is a number behind the name of a series, and may be a letter or a word elsewhere: `Fund V`, `Trust XX`."""
_MESSRS = re.compile(r"^M/[Ss]\b\.? ?")
"""`M/s. Sharma Traders`, as Indian registers write a firm."""
_OTHER_NAME = re.compile(
    r"\s*[,;(\[]?\s*(?<![\w&/.])(?:d[/.]?b[/.]?a|doing business as|t/a|trading as|f[/.]?k[/.]?a|formerly(?: known as)?|"
    r"previously known as|a[/.]?k[/.]?a|also known as|n[/.]?k[/.]?a|now known as)\b\.?:?\s*",
    re.IGNORECASE,
)
"""What stands between two names of one organisation: `Acme Corp. d/b/a Roadrunner Supplies`."""
_OTHER_NAME_HINTS = (*"dba d/b d.b t/a fka f/k f.k aka a/k a.k nka n/k n.k".split(), " as ", "formerly")
"""One of them stands in every text that has it, and in few others: looking for them is cheap."""
_NOTE = re.compile(r"^(.*\S) ?\(([^()]+)\)\s*$")
"""A note at the end, in front of which the form may stand: `Acme Ltd. (UK)`."""


class OrganisationName(NamedTuple):
    """A normalised name: its tokens without the legal form, that form, and its acronyms."""

    tokens: tuple[str, ...]
    legal: LegalForm
    acronyms: tuple[str, ...]


@cache
def word_forms() -> dict[str, tuple[str, ...]]:
    """Variant -> canonical words: other spellings, shortened words, other languages."""
    table = yaml.safe_load((files("app.matching.data") / "words.yaml").read_text("utf-8"))
    spelled = {str(variant): (canonical,) for canonical, variants in table.items() for variant in variants}
    spelled |= {roman: (str(_of_roman(roman)),) for roman in _ROMAN}
    translated = {
        word: tuple(form for one in meaning for form in spelled.get(one, (one,)))
        for word, meaning in word_translations().items()
        if word not in table
    }
    return translated | spelled


def _split_before_note(text: str) -> tuple[list[str], LegalForm] | None:
    """The words of a name with a note at its end, and the form in front of the note; None without such a form."""
    found = _NOTE.match(text)
    if found is None:
        return None
    name, note = (fold(spell_out(part)).split() for part in found.groups())
    tokens, legal = split_legal_form(_without_article(name))
    return ([*tokens, *note], legal) if legal.kind else None


def _without_article(words: list[str]) -> list[str]:
    """`The Boeing Company` and `Boeing Company (The)` are one name."""
    if len(words) > 1 and words[0] == "the":
        words = words[1:]
    return words[:-1] if len(words) > 1 and words[-1] == "the" else words


def canonical_tokens(tokens: list[str]) -> list[str]:
    """One spelling of every word, in English where the word is known."""
    return [form for word in translate_phrases(tokens) for form in _canonical(word)]


@lru_cache(maxsize=65_536)
def _canonical(word: str) -> tuple[str, ...]:
    forms = word_forms()
    if word in forms or not word.endswith(ENDS):
        return forms.get(word, (word,))
    return tuple(form for part in rebuilt(word, forms) for form in forms.get(part, (part,)))


def names_in(text: str) -> list[str]:
    """The names that a text gives one organisation: `Zenith Ltd (formerly Apex Ltd)` has two, `木戸病院` two readings."""
    lower = text.lower()
    parts = _OTHER_NAME.split(text) if any(hint in lower for hint in _OTHER_NAME_HINTS) else [text]
    if len(parts) == 1 or not all(any(map(str.isalnum, part)) for part in parts):
        return readings(text)
    whole = [part if "(" in part else part.rstrip(")] ") for part in parts]
    return [name for part in whole for name in readings(part)]


def organisation_name(text: str) -> OrganisationName:
    """Normalises a name; the tokens are empty only when the text holds no letter or digit."""
    if len(text) > _LONG_TEXT_CHARS:
        text = _unglued(_FOOTNOTE.sub(r"\1 ", text))
    elif text.endswith(_PAR_VALUE_ENDS):
        text = _PAR_VALUE.sub("", text)
    if text.startswith("M/"):
        text = _MESSRS.sub("", text)
    words = _without_article(fold(spell_out(text)).split())
    tokens, legal = split_legal_form(words)
    if not legal.kind and text.endswith(")"):
        tokens, legal = _split_before_note(text) or (tokens, legal)
    tokens = without_and(tokens)
    canonical = canonical_tokens(tokens)
    if not _SERIES.isdisjoint(canonical):
        canonical = _numbered(canonical)
    return OrganisationName(tuple(canonical), legal, _acronyms(words, tokens))


def _unglued(text: str) -> str:
    """Takes words apart that ran into each other."""
    if _GLUED.search(text) is None:
        return text
    return " ".join(
        [" ".join(parts) if _are_words(parts) else "".join(parts) for parts in map(_GLUED.split, text.split())]
    )


def _are_words(parts: list[str]) -> bool:
    return any(part[:1].isdigit() or not _OF_ADDRESSES.isdisjoint(_canonical(fold(part))) for part in parts)


def _numbered(words: list[str]) -> list[str]:
    """The Roman number behind the name of a series in digits."""
    return [
        str(_of_roman(word)) if before in _SERIES and _SERIES_NUMBER.fullmatch(word) else word
        for before, word in zip(("", *words), words, strict=False)
    ]


def _of_roman(number: str) -> int:
    values = [_ROMAN_DIGITS[digit] for digit in number]
    return sum(-value if value < after else value for value, after in pairwise((*values, 0)))


def _acronyms(words: list[str], tokens: list[str]) -> tuple[str, ...]:
    """Of the meaningful words, of all words, and with the legal form: `tep`, `tepc`, `tepco` for Tokyo Electric Power Company."""
    if len(words) < 2 or len(words) > _MAX_ACRONYM_WORDS:
        return ()
    short = initials(tokens) if len(tokens) > 1 else ""
    form = [word[0] for word in words[len(tokens) :]] if words[: len(tokens)] == tokens else []
    first = form[0] if form and words[len(tokens)] != "and" else ""
    with_form = short + "".join(form)
    company = f"{short}co" if len(short) > 1 and form == ["c"] else ""
    found = dict.fromkeys((short, "".join([word[0] for word in tokens]), with_form, short + first, company))
    return tuple([acronym for acronym in found if 1 < len(acronym) <= _MAX_ACRONYM_CHARS])
