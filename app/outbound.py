"""POSTs to addresses that customers name: never into networks of our own, and never to another host than the checked one."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import ip_network

import httpx
from ssrfguard import Policy, Resolver, SSRFGuardError
from ssrfguard.httpx import AsyncClient

from app.errors import InvalidSchema

_LOOPBACK = "127.0.0.1"
_GONE = 410
_CONNECTIONS = 32


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a POST went: `error` is None when the receiver took it; `final` when trying again is of no use."""

    status_code: int | None
    error: str | None
    final: bool = False


class Outbound:
    """A name is looked up once, every answer is checked against the tables of special networks, and the connection
    goes to the checked address, so that a name cannot change its mind between check and connect. No redirect is
    followed, no proxy asked, no cookie kept, no body read: an answer is its status.
    """

    def __init__(
        self,
        allowed_networks: Iterable[str],
        allowed_ports: Iterable[int],
        timeout_s: float,
        resolver: Resolver | None = None,
    ) -> None:
        """`allowed_networks` (CIDR) may be reached although they are special; raises ValueError for what is none."""
        networks = tuple(ip_network(network) for network in allowed_networks)
        self._policy = Policy(allowed_networks=networks, allowed_ports=frozenset(allowed_ports))
        self._timeout_s = timeout_s
        self._resolver = resolver or socket.getaddrinfo
        self._client: AsyncClient | None = None

    def check(self, url: str, field: str) -> None:
        """Without asking the network; raises InvalidSchema, naming `field`, for a URL that can never be reached."""
        try:
            host = self._policy.check_url(url).host
        except SSRFGuardError as exc:
            raise InvalidSchema(f"{field} is refused: {_reason(exc)}.", field=field) from exc
        local = host == "localhost" or host.endswith(".localhost")
        if local and not self._policy.permits_address(_LOOPBACK):
            raise InvalidSchema(f"{field} is refused: {host} is this machine itself.", field=field)

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Outcome:
        """Never raises for what the receiver or the network do."""
        try:
            async with (
                asyncio.timeout(self._timeout_s),
                self._opened().stream("POST", url, content=body, headers=dict(headers)) as answer,
            ):
                return _outcome(answer.status_code)
        except SSRFGuardError:
            return Outcome(None, "ADDRESS_REFUSED", final=True)
        except (httpx.InvalidURL, httpx.UnsupportedProtocol):
            return Outcome(None, "INVALID_URL", final=True)
        except (httpx.TimeoutException, TimeoutError):
            return Outcome(None, "TIMEOUT")
        except (httpx.ConnectError, OSError):
            return Outcome(None, "CONNECT_FAILED")
        except httpx.HTTPError:
            return Outcome(None, "CONNECTION_LOST")

    async def close(self) -> None:
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    def _opened(self) -> AsyncClient:
        """Made when first needed: most processes never post."""
        if self._client is None:
            self._client = AsyncClient(
                policy=self._policy,
                resolver=self._resolver,
                timeout=self._timeout_s,
                limits=httpx.Limits(max_connections=_CONNECTIONS, max_keepalive_connections=0),
                follow_redirects=False,
                trust_env=False,
            )
        return self._client


def _outcome(status_code: int) -> Outcome:
    if 200 <= status_code < 300:
        return Outcome(status_code, None)
    return Outcome(status_code, f"HTTP_{status_code}", final=status_code == _GONE)


def _reason(exc: SSRFGuardError) -> str:
    return str(getattr(exc, "reason", exc)).rstrip(".")
