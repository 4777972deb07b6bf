"""Shares out the odds among the candidates of a query: only one of them, or none, is the entity.

Of two candidates that read the same, copies, nobody can say whether they are one entity that the master lists twice, so that
both are right, or two. Copies are therefore rivals in part.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.intp]
Copies = Integers | None
"""By candidate the number of what it reads, which copies share; None where no two candidates read the same."""

COPY_RIVALRY = 0.3
"""What a copy's odds count for. Where a master of the labelled sets lists the right record several times, gold holds all of them
about as often as one, so that one of two is right three times in four: 1 / 1.3."""
SHARPNESS = 1.5
"""Power of a candidate's odds beside the best one's. Fitted weights are shrunk, so that rivals look nearer to the best than they
are: as they stand they kept its probability under what it was right. Equal ones still halve it."""
_MADE = re.compile(rb'\|[^|"]*"')
"""The last part of a value of several: a name's acronyms, the other words of a host."""
MAX_NATS = 60.0
"""Beyond this nothing is told apart: odds of e^60."""


def copies_of(readings: Sequence[bytes]) -> Copies:
    """Numbers what the candidates read: their stored forms, but for what is made from the words.

    *X JSC* and *X Joint Stock Company* read the same and have other acronyms. Most candidates begin as no other does, which is
    told without reading them to the end.
    """
    begin = [reading[: reading.find(b"|")] for reading in readings]
    often = Counter(begin)
    if len(often) == len(readings):
        return None
    read = [_MADE.sub(b'"', whole) if often[one] > 1 else one for one, whole in zip(begin, readings, strict=True)]
    numbers = {one: number for number, one in enumerate(dict.fromkeys(read))}
    return np.array([numbers[one] for one in read], np.intp) if len(numbers) < len(read) else None


class Sharing:
    """The candidates of several queries, one query's after another's; `counts` says how many each has."""

    def __init__(self, counts: Integers, copies: Sequence[Copies]) -> None:
        self._counts = counts[counts > 0]
        self._starts = self._counts.cumsum() - self._counts
        self._copies = _joined(counts, copies)

    def over(self, take: np.ufunc, values: Floats) -> Floats:
        """The sum, or the highest, of a query's values, for each of its candidates."""
        if not len(values):
            return values
        spread: Floats = take.reduceat(values, self._starts).repeat(self._counts)
        return spread

    def rivals(self, odds: Floats) -> Floats:
        """What the odds of each candidate's rivals add up to."""
        others = np.maximum(self.over(np.add, odds) - odds, 0.0)
        if self._copies is None:
            return others
        of_copies = np.bincount(self._copies, odds)[self._copies] - odds
        return np.maximum(others - (1.0 - COPY_RIVALRY) * of_copies, 0.0)

    def published(
        self, own: Floats, log_odds: Floats, calibrator: Callable[[Floats], Floats], shift: Floats | float = 0.0
    ) -> Floats:
        """The calibrated probability of the best candidate of each query; its others keep their proportion to it, sharpened.

        `own` are log-odds (nats) seen alone, `log_odds` those after competition, to which the calibrator adds `shift`. It was
        fitted on best candidates. Moving each candidate by itself would let many unlikely ones add up to more than certainty
        and take it from the likely one.
        """
        bounded = np.minimum(np.maximum(log_odds, -MAX_NATS), MAX_NATS)
        shares = 1.0 / (1.0 + np.exp(-bounded))
        behind = np.maximum(own - self.over(np.maximum, own), -MAX_NATS)
        sharp = shares * np.exp((SHARPNESS - 1.0) * behind)
        wanted = 1.0 / (1.0 + np.exp(-calibrator(self.over(np.maximum, bounded) + shift)))
        factor = np.minimum(wanted / self.over(np.maximum, shares), 1.0 / self.over(np.add, sharp * self._parts()))
        published: Floats = sharp * factor
        return published

    def _parts(self) -> Floats | float:
        """What each candidate adds to its query's whole: copies together take more than one that stands alone would."""
        if self._copies is None:
            return 1.0
        alike = np.bincount(self._copies)[self._copies]
        parts: Floats = (1.0 + COPY_RIVALRY * (alike - 1)) / alike
        return parts


def _joined(counts: Integers, copies: Sequence[Copies]) -> Copies:
    """One numbering for the candidates of all queries."""
    if all(one is None for one in copies):
        return None
    before = (counts.cumsum() - counts).tolist()
    numbers = [
        start + (np.arange(count) if one is None else one)
        for start, count, one in zip(before, counts.tolist(), copies, strict=True)
    ]
    return np.concatenate(numbers)
