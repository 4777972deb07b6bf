"""Lays out every word of one side against every word of the other, for many pairs of values at once, without padding."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from app.matching.compare.tokens import closeness, pair_similarities
from app.matching.compare.words import Integers, Words

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

SAME = 0.999
"""Least similarity of words that are the same."""
MAX_WORDS = 40
"""Words of a value that are compared."""
_NOBODY = -1
_DIAGONALS = 128
_STEPS = 64
"""More than there are diagonals, and words, in a layout of MAX_WORDS by MAX_WORDS."""


class Met(NamedTuple):
    """The words of one side, one pair's after another: their pair, their place and what they say in bits.

    `starts` is where each pair's words begin.
    """

    starts: Integers
    pair: Integers
    word: Integers
    bits: Floats

    def sums(self, values: npt.NDArray[np.generic]) -> Floats:
        """Of one value a word, to one a pair."""
        total: Floats = np.add.reduceat(values, self.starts)
        return total

    def most(self, values: Floats) -> Floats:
        highest: Floats = np.maximum.reduceat(values, self.starts)
        return highest


class Alignment(NamedTuple):
    """How the words of both sides meet; P pairs of values, S words of the queries' values, T of the candidates'."""

    query: Met
    row: Met
    best: Floats
    """(S,): similarity to the best partner, 0 without one."""
    partner_bits: Floats
    """(S,): what the best partner says."""
    row_found: Mask
    """(T,): whether the word has a partner."""
    row_same: Mask
    """(T,): whether that is the same word."""
    begins_alike: Mask
    """(P,): whether the first words are partners."""
    replaced: Floats
    """(S,): bits of a word in whose place, between the same neighbours, the other side has one that is not like it."""
    longest_run: Floats
    """(P,): bits of the longest run of a candidate's words that stand in the query's value one after another."""


def aligned(
    queries: Sequence[tuple[str, ...]],
    of: Integers,
    rows: Sequence[tuple[str, ...]],
    words: Words,
    bits: Floats,
    *,
    persons: bool,
) -> Alignment:
    """Aligns the words of `queries[of[p]]` with those of `rows[p]`, for every pair p; no value is without words.

    `bits` is what each of `words` says.
    """
    query_words, query_counts = _flat(queries, words)
    row_words, row_counts = _flat(rows, words)
    query_starts, row_starts = _starts(query_counts), _starts(row_counts)
    counts = query_counts[of]
    starts = _starts(counts)
    pair = np.arange(len(of)).repeat(counts)
    own = query_words[np.arange(len(pair)) - (starts - query_starts[of]).repeat(counts)]
    width = row_counts[pair]
    first = _starts(width)
    place = np.arange(len(pair)).repeat(width)
    against = np.arange(len(place)) - (first - row_starts[pair]).repeat(width)
    similar = pair_similarities(words, own[place], row_words[against], persons=persons)
    query = Met(starts, pair, own, bits[own])
    row = Met(row_starts, np.arange(len(of)).repeat(row_counts), row_words, bits[row_words])

    best = np.maximum.reduceat(similar, first)
    alike = similar.nonzero()[0]
    place, partner = place[alike], against[alike]
    row_found = np.zeros(len(row_words), bool)
    row_found[partner] = True
    row_same = np.zeros(len(row_words), bool)
    row_same[against[similar >= SAME]] = True
    top = (similar[alike] == best[place]).nonzero()[0][::-1]  # the first of several is written last
    partner_of = np.full(len(pair), _NOBODY)
    partner_of[place[top]] = partner[top]
    partner_bits = np.where(partner_of == _NOBODY, 0.0, row.bits[partner_of])
    replaced = _replaced(query, row, partner_of, row_found, words)
    of_alike = pair[place]
    i, j = place - starts[of_alike], partner - row_starts[of_alike]
    longest = np.zeros(len(of))
    if len(alike):
        having, runs = _longest_runs(of_alike, i, j, row.bits[partner])
        longest[having] = runs
    begins_alike = similar[first[starts]] > 0
    return Alignment(query, row, best, partner_bits, row_found, row_same, begins_alike, replaced, longest)


def _replaced(query: Met, row: Met, partner: Integers, row_found: Mask, words: Words) -> Floats:
    """What `Alignment.replaced` holds, given the place of each of the queries' words' partner."""
    replaced = np.zeros(len(partner))
    at = (partner == _NOBODY).nonzero()[0]
    pair = query.pair[at]
    begins, ends = query.starts[pair] == at, _ends(query)[pair] == at + 1
    before, after = partner[at - 1], partner[np.minimum(at + 1, len(partner) - 1)]
    place = np.where(begins, row.starts[pair], before + 1)
    row_ends = _ends(row)[pair]
    known = ~(begins & ends) & (begins | (before != _NOBODY)) & (place < row_ends)
    known &= np.where(ends, place + 1 == row_ends, after == place + 1)
    at, place = at[known], place[known]
    left = ~row_found[place]
    at, place = at[left], place[left]
    if len(at):
        unlike = 1.0 - closeness(words, query.word[at], row.word[place])
        replaced[at] = np.minimum(query.bits[at], row.bits[place]) * unlike
    return replaced


def _ends(met: Met) -> Integers:
    return np.append(met.starts[1:], len(met.pair))


def _flat(values: Sequence[tuple[str, ...]], words: Words) -> tuple[Integers, Integers]:
    """The words of all values one after another, and how many each value has."""
    counts = np.fromiter(map(len, values), np.intp, len(values))
    return words.places([word for value in values for word in value]), counts


def _starts(counts: Integers) -> Integers:
    return counts.cumsum() - counts


def _longest_runs(pair: Integers, i: Integers, j: Integers, bits: Floats) -> tuple[Integers, Floats]:
    """The pairs that have a run, and the most bits of one: word i + 1 of the query meets word j + 1 where i met j."""
    step = (pair * _DIAGONALS + (i - j + MAX_WORDS)) * _STEPS + i
    order = step.argsort(kind="stable")
    step, pair = step[order], pair[order]
    begins = _changes(step[1:] != step[:-1] + 1)
    runs, owners = np.add.reduceat(bits[order], begins), pair[begins]
    starts = _changes(owners[1:] != owners[:-1])
    return owners[starts], np.maximum.reduceat(runs, starts)


def _changes(differs: Mask) -> Integers:
    """Where runs begin, given for each entry but the first whether it begins one."""
    begins = np.ones(len(differs) + 1, bool)
    begins[1:] = differs
    return begins.nonzero()[0]
