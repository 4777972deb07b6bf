"""The one error of the embedded stack: a sentence that a person can act on, in lower case, without a trace."""

from __future__ import annotations


class StackError(Exception):
    """A part cannot start or stop; `str()` of it is what the command prints."""


class StopRequested(Exception):
    """SIGTERM or SIGINT arrived while waiting."""
