"""The security headers of every answer; a route's own Cache-Control or Content-Security-Policy stays."""

from __future__ import annotations

from collections.abc import Sequence

Header = tuple[bytes, bytes]

_ALWAYS: tuple[Header, ...] = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
)
_UNLESS_GIVEN: tuple[Header, ...] = (
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
)
_ONLY_HTTPS = (b"strict-transport-security", b"max-age=31536000")


def secured(given: Sequence[Header], *, https: bool) -> list[Header]:
    """The headers of an answer with the security headers behind them; `https` is how clients reach the service."""
    names = {name.lower() for name, _ in given}
    added = [header for header in _UNLESS_GIVEN if header[0] not in names]
    return [*given, *_ALWAYS, *added, *((_ONLY_HTTPS,) if https else ())]
