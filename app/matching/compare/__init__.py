"""Compares a query with all of its candidates at once; the only importer of rapidfuzz."""

from app.matching.compare.candidates import Comparison, SlotComparison, compare, compare_all, joined

__all__ = ["Comparison", "SlotComparison", "compare", "compare_all", "joined"]
