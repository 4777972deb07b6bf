"""Legal forms of organisations: cut off, with the class that they are of."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

import yaml

_ONLY_AT_END = frozenset({("national", "association")})
"""Forms of several words that begin other names: `National Association of Realtors`."""
_LEADING_FORMS = frozenset(
    "pt ooo oao zao ao pao pjsc ojsc cjsc jsc too tov uab sia ou as gie "
    "llc osoo odo tdv prat vat zat nao ano fgup gup mup srl sarl eurl vof oy maatschap doo ctcp mchj".split()
)
"""Forms that stand before the name: `PT Astra`, `OOO Gazprom`, `UAB Maxima`."""


@cache
def _legal_forms() -> dict[tuple[str, ...], str]:
    table = yaml.safe_load((files("app.matching.data") / "legal_forms.yaml").read_text("utf-8"))
    return {tuple(str(form).split()): kind for kind, forms in table.items() for form in forms}


@cache
def _form_lengths() -> tuple[dict[str, list[int]], dict[str, list[int]]]:
    """How many words the legal forms have, the longest first: by their last word, and by their first word.

    Of those at the front only forms that are written out in several words.
    """
    at_end: dict[str, set[int]] = {}
    in_front: dict[str, set[int]] = {}
    for form in _legal_forms():
        at_end.setdefault(form[-1], set()).add(len(form))
        if len(form) > 1 and max(map(len, form)) > 2 and form not in _ONLY_AT_END:
            in_front.setdefault(form[0], set()).add(len(form))
    ends = {word: sorted(lengths, reverse=True) for word, lengths in at_end.items()}
    return ends, {word: sorted(lengths, reverse=True) for word, lengths in in_front.items()}


def split_legal_form(tokens: list[str]) -> tuple[list[str], str]:
    """Cuts legal forms from the end (and known ones from the front); never cuts the whole name away."""
    forms = _legal_forms()
    at_end, in_front = _form_lengths()
    found = ""
    while len(tokens) > 1 and tokens[-1] in at_end:
        for length in at_end[tokens[-1]]:
            kind = forms.get(tuple(tokens[-length:])) if length < len(tokens) else None
            if kind is not None and not _are_initials(tokens[-length - 1 :]):
                tokens, found = without_and(tokens[:-length]), kind
                break
        else:
            break
    if len(tokens) < 2:
        return tokens, found
    for length in in_front.get(tokens[0], ()):
        kind = forms.get(tuple(tokens[:length])) if length < len(tokens) else None
        if kind is not None:
            return tokens[length:], found or kind
    if tokens[0] in _LEADING_FORMS:
        return tokens[1:], found or forms.get((tokens[0],), "")
    return tokens, found


def _are_initials(tokens: list[str]) -> bool:
    """`A K S` is no A with a form: its letters are all that the name has."""
    return max(map(len, tokens)) == 1


def without_and(tokens: list[str]) -> list[str]:
    """A name that lost its form must not end with the word that joined them: `Carnival Corporation & plc`."""
    return tokens[:-1] if len(tokens) > 1 and tokens[-1] == "and" else tokens
