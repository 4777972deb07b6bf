"""A name or text as it is compared: its words, and what was made of them when it was stored."""

from __future__ import annotations

from typing import NamedTuple

from app.matching.compare.alignment import MAX_WORDS

_LEAST_CODE_CHARS = 4


class Bag(NamedTuple):
    """One value of a slot, parsed; `joined` is its words without spaces, `acronyms` are parted by spaces.

    `legal` is the class and name of its legal form (`limited:gmbh`), or nothing.
    """

    tokens: tuple[str, ...]
    joined: str
    legal: str
    acronyms: str

    def is_called(self, acronym: str) -> bool:
        """Whether a word is one of its acronyms."""
        return acronym in self.acronyms and acronym in self.acronyms.split()

    @property
    def is_whole(self) -> bool:
        """Whether all words are as the value has them, none by its first letters."""
        return "".join(self.tokens) == self.joined

    @property
    def numbers(self) -> frozenset[str]:
        return frozenset(token for token in self.tokens if token.isdigit())

    @property
    def codes(self) -> frozenset[str]:
        """Tokens of letters and digits: model numbers, serials."""
        return frozenset(token for token in self.tokens if _is_code(token))


def _is_code(token: str) -> bool:
    if len(token) < _LEAST_CODE_CHARS or token.isalpha() or token.isdigit():
        return False
    return any(c.isdigit() for c in token)


def parse_bag(value: str) -> Bag:
    text, _, rest = value.partition("|")
    legal, _, rest = rest.partition("|")
    tokens = tuple(text.split()[:MAX_WORDS])
    return Bag(tokens, "".join(tokens), legal, rest.partition("|")[0])
