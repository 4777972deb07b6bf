"""What a table remembers may be forgotten by one thread while another reads it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from app.matching.frequencies import TermFrequencies, count_hashes, hash_terms
from app.matching.rarity import token_bits

TERMS = [f"name:word{at % 400}" for at in range(1_200)]


def test_threads_that_forget_disturb_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.matching.frequencies._REMEMBERED_TERMS", 20)
    monkeypatch.setattr("app.matching.rarity._REMEMBERED_TOKENS", 20)
    table = TermFrequencies.from_counts(1_200, *count_hashes(hash_terms(TERMS)))

    def ask(start: int) -> None:
        for at in range(start, start + 3_000):
            words = [f"word{(at * step) % 500}" for step in range(1, 12)]
            expected = [3 if int(word[4:]) < 400 else 1 for word in words]
            assert table.counts_of([f"name:{word}" for word in words]) == expected
            assert len(token_bits(words, "name", table)) == len(words)

    with ThreadPoolExecutor(4) as threads:
        for done in [threads.submit(ask, start) for start in range(4)]:
            done.result()
