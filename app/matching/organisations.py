"""Organisation names: the legal form set apart, common words in one spelling, the acronym made."""

from __future__ import annotations

import re
from functools import cache, lru_cache
from importlib.resources import files
from itertools import pairwise
from typing import NamedTuple

import yaml

from app.matching.foreign_words import ENDS, rebuilt
from app.matching.legal_forms import LegalForm, split_legal_form, without_and, without_inner_forms
from app.matching.misspellings import Misspellings
from app.matching.rarity import is_common, is_known
from app.matching.remarks import without_remarks
from app.matching.text import fold, initials
from app.matching.translations import readings, spell_out, translate_phrases, word_translations

_MAX_ACRONYM_WORDS = 12
_MAX_ACRONYM_CHARS = 10
_LEAST_LOST_CHARS = 6
_LEAST_MISSPELT_CHARS = 7
_SAME_BEGINNING = 3
"""Letters that a word shares with the one that it may stand for; else it is a name (*Jardine* for `jardins`, a garden)."""
_MOST_DIGITS = 0.25
_FOOTNOTE = re.compile(r"(?<![A-Za-z0-9])(\d{1,2}|[a-h])(?=[A-Z][a-z]{3})")
"""The mark of a footnote that runs into the first word of an affiliation: `1Columbia University`, `bInstitute of …`."""
_LONG_TEXT_CHARS = 40
_CAPITAL_INSIDE = re.compile(r"[a-z0-9ß-ÿ][A-ZÀ-Þ]|(?:LLC|PLC)[A-Z]")
_GLUED_WORDS = re.compile(r"(?<=[a-zß-ÿ]{3})(?=[A-ZÀ-Þ][a-zß-ÿ]{2})")
_GLUED_LINES = re.compile(rf"{_GLUED_WORDS.pattern}|(?<=[A-Za-z]{{3}})(?=\d{{4}})|(?<=\d{{4}})(?=[A-Z][a-z])")
"""Where lines of a text may have run into each other: `EngineeringKettering`, `Nanchang330031People`."""
_GLUED_FORM = re.compile(
    r"(?<=[a-z0-9ß-ÿ])(?<!\bg)(?=(?:Inc|Ltd|LLC|LLP|PLC|Plc|GmbH|Limited|Incorporated|Pty|Pvt|SARL|Corp[.,]|Co\.,|"
    r"Company Limited|N\.V\.|B\.V\.|S\.[AL]\.|A\.G\.|S\.p\.A|S\.r\.l)(?![A-Za-z]))|"
    r"(?<=[a-zß-ÿ]{4})(?=(?:SA|NV|AG|AB|BV|SRL|ASA|OYJ)$)|"
    r"(?<=\b(?:Inc|Ltd|LLC|PLC))(?=[A-Z][a-z])"
)
"""Where a form ran into the name: `OptionN.V.`, `GogoInc.`, `LtdNufarm`; `PepsiCo`, `KeyCorp` and `gGmbH` stay."""
_OF_ADDRESSES = frozenset(
    "university institute department school college faculty hospital center laboratory academy science engineering division "
    "medical research technology".split()
)
"""Words of which one must be among the parts, or a number, or one of another language: `ExxonMobil` stays whole."""
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
_PARTICLES = (["of"], ["the"])
"""What `de`, `van` and `la` are in the middle of a name."""
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


@lru_cache(maxsize=65_536)
def meant(word: str) -> str | None:
    """The canonical word of which a word that nothing knows may be a misspelt variant: `finanve` is *finance*, so `financial`."""
    if len(word) < _LEAST_MISSPELT_CHARS or is_known(word) or word in word_forms():
        return None
    variant = _variants().meant(word)
    canonical = word_forms()[variant][0] if variant else ""
    return canonical if canonical[:_SAME_BEGINNING] == word[:_SAME_BEGINNING] else None


@cache
def _variants() -> Misspellings:
    """The longer variants of a common word."""
    forms = ((word, form) for word, form in word_forms().items() if len(form) == 1 and is_common(form[0]))
    return Misspellings(word for word, _ in forms if len(word) >= _LEAST_MISSPELT_CHARS)


def canonical_tokens(tokens: list[str]) -> list[str]:
    """One spelling of every word, in English where the word is known.

    A particle that begins a name is no preposition: `Van Rijn` and `Vanrijn` are one name, *of Rijn* is none.
    """
    words = translate_phrases(tokens)
    canonical = [form for word in words for form in _canonical(word)]
    return [words[0], *canonical[1:]] if canonical[:1] in _PARTICLES else canonical


@lru_cache(maxsize=65_536)
def _canonical(word: str) -> tuple[str, ...]:
    forms = word_forms()
    if not word.isalpha():
        word = _in_letters(word)
    if word in forms or not word.endswith(ENDS):
        return forms.get(word, (word,))
    return tuple(form for part in rebuilt(word, forms) for form in forms.get(part, (part,)))


def _in_letters(word: str) -> str:
    """A known word in which a digit stands for the letter that it looks like: `h0tel`, `f1nance`."""
    digits = sum(map(str.isdigit, word))
    if word[-1].isdigit() or digits > len(word) * _MOST_DIGITS:
        return word
    looks = (word.translate(str.maketrans("01", letters)) for letters in ("ol", "oi"))
    return next((look for look in looks if look in word_forms() or is_known(look)), word)


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
    text = without_remarks(text)
    if len(text) > _LONG_TEXT_CHARS:
        text = _unglued(_FOOTNOTE.sub(r"\1 ", text), _GLUED_LINES)
    elif not text.isupper() and _CAPITAL_INSIDE.search(text) is not None:
        text = _unglued(text, _GLUED_WORDS)
    if len(text) <= _LONG_TEXT_CHARS and text.endswith(_PAR_VALUE_ENDS):
        text = _PAR_VALUE.sub("", text)
    if text.startswith("M/"):
        text = _MESSRS.sub("", text)
    words = _without_article(fold(spell_out(text)).split())
    tokens, legal = split_legal_form(words)
    if not legal.kind and text.endswith(")"):
        tokens, legal = _split_before_note(text) or (tokens, legal)
    if len(tokens) > 2:
        tokens, inner = without_inner_forms(tokens, text)
        legal = legal if legal.kind else inner
    tokens = without_and(tokens)
    canonical = canonical_tokens(tokens)
    if not _SERIES.isdisjoint(canonical):
        canonical = _numbered(canonical)
    return OrganisationName(tuple(canonical), legal, _acronyms(words, tokens))


def _unglued(text: str, glued: re.Pattern[str]) -> str:
    """Takes forms and words apart that ran into each other."""
    text = _GLUED_FORM.sub(" ", text)
    if glued.search(text) is None:
        return text
    return " ".join(
        [" ".join(parts) if _are_words(parts) else "".join(parts) for parts in map(glued.split, text.split())]
    )


def _are_words(parts: list[str]) -> bool:
    return len(parts) > 1 and any(part[:1].isdigit() or _would_be_lost(fold(part)) for part in parts)


def _would_be_lost(word: str) -> bool:
    """Inside another word it would not be known: a word of addresses, or of another language (`FlughafenZürich` is no *airport*).

    A shortened word (`Invest`, `Pharma`) is part of a brand as often, and so is a short one (`Trans`).
    """
    forms = _canonical(word)
    if not _OF_ADDRESSES.isdisjoint(forms):
        return True
    return len(word) >= _LEAST_LOST_CHARS and not forms[0].startswith(word.removesuffix("s"))


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
