"""The distinct words of what is compared, with what can be told of each without reading it again."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.intp]

_LETTER_BITS = np.uint64(63)
_ZERO, _NINE = ord("0"), ord("9")


class Words:
    """Distinct words in the order of their first occurrence; every array has one entry a word.

    `letters` is the set of a word's characters as bits, `first` and `last` are code points. `mark` is true of what tells
    the members of a series apart: a number, a single letter, a code with a digit (`2`, `v`, `lc18`).
    """

    def __init__(self, occurring: Sequence[str]) -> None:
        self._place = {word: at for at, word in enumerate(dict.fromkeys(occurring))}
        self.text = list(self._place)
        self.length: Integers = np.fromiter(map(len, self.text), np.intp, len(self.text))
        self.mark = self.length == 1
        if not self.text:
            return
        codes = np.frombuffer("".join(self.text).encode("utf-32-le", "surrogatepass"), np.uint32)
        ends = self.length.cumsum()
        starts = ends - self.length
        self.mark |= np.logical_or.reduceat((codes >= _ZERO) & (codes <= _NINE), starts)
        self.first = codes[starts]
        self.last = codes[ends - 1]
        self.letters = np.bitwise_or.reduceat(np.uint64(1) << (codes & _LETTER_BITS), starts)

    def place(self, word: str) -> int | None:
        return self._place.get(word)

    def places(self, words: Sequence[str]) -> Integers:
        """Where among the distinct words each of these is; shape (len(words),)."""
        return np.fromiter(map(self._place.__getitem__, words), np.intp, len(words))
