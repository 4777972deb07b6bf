"""Words of a table that another word may be a misspelling of, one edit away.

An edit deletes, inserts or replaces a letter, or swaps two neighbours. Two words one edit apart are equal, or become equal, by
deleting at most one letter of each; so a table of deletions finds them (the symmetric deletion of SymSpell, Garbe 2012).
"""

from __future__ import annotations

from collections.abc import Iterable

from rapidfuzz.distance import OSA


class Misspellings:
    """Of several words that are one edit away, the first of the table is meant."""

    def __init__(self, words: Iterable[str]) -> None:
        self._words = list(dict.fromkeys(words))
        self._by_deletion: dict[str, list[int]] = {}
        for at, word in enumerate(self._words):
            for deletion in _deletions(word):
                self._by_deletion.setdefault(deletion, []).append(at)

    def meant(self, word: str) -> str | None:
        """The word of the table that is one edit away; None when there is none."""
        near = {at for deletion in _deletions(word) for at in self._by_deletion.get(deletion, ())}
        found = (self._words[at] for at in sorted(near))
        return next((other for other in found if OSA.distance(word, other, score_cutoff=1) == 1), None)


def _deletions(word: str) -> set[str]:
    return {word, *(word[:at] + word[at + 1 :] for at in range(len(word)))}
