"""Outbound POSTs reach what they may and nothing else; every name is looked up by a stub, every server is on loopback."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

import pytest

from app.errors import InvalidSchema
from app.outbound import Outbound, Outcome
from tests.receiver import OK, Receiver, status

LOOPBACK = ("127.0.0.0/8",)


def resolving(*answers: list[str]) -> Callable[..., Any]:
    """A resolver that gives these addresses, one list a look-up; `calls` counts them."""
    left = list(answers)

    def resolve(host: str, port: int, *rest: object) -> list[Any]:
        resolve.calls += 1  # type: ignore[attr-defined]
        found = left.pop(0) if len(left) > 1 else left[0]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in found]

    resolve.calls = 0  # type: ignore[attr-defined]
    return resolve


async def post(url: str, outbound: Outbound) -> Outcome:
    try:
        return await outbound.post(url, b"{}", {"content-type": "application/json"})
    finally:
        await outbound.close()


SPECIAL = [
    "10.0.0.1", "172.16.0.1", "192.168.1.1", "127.0.0.1", "127.1.2.3", "0.0.0.0", "169.254.169.254", "169.254.1.1", "100.64.0.1",
    "192.0.0.8", "192.0.0.170", "192.0.2.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1", "240.0.0.1",
    "255.255.255.255", "192.88.99.1", "[::]", "[::1]", "[fe80::1]", "[fc00::1]", "[fd00:ec2::254]", "[ff02::1]",
    "[::ffff:127.0.0.1]", "[::ffff:169.254.169.254]", "[64:ff9b::a9fe:a9fe]", "[64:ff9b:1::1]", "[2001:db8::1]",
    "[2002:7f00:1::]", "[100::1]",
]  # fmt: skip


@pytest.mark.parametrize("host", [*SPECIAL, "localhost", "api.localhost"])
def test_a_url_into_a_special_network_is_refused_without_asking_the_network(host: str) -> None:
    with pytest.raises(InvalidSchema) as refused:
        Outbound((), (80,), 1).check(f"http://{host}/", "callback_url")
    assert refused.value.details["field"] == "callback_url"


@pytest.mark.parametrize("address", [host for host in SPECIAL if not host.startswith("[")])
async def test_a_name_that_leads_into_a_special_network_is_refused_for_good(address: str) -> None:
    assert await post("http://hooks.example/", Outbound((), (80,), 1, resolving([address]))) == Outcome(
        None, "ADDRESS_REFUSED", final=True
    )


@pytest.mark.parametrize(
    "url",
    ["ftp://a.example/", "http://u:p@a.example/", "http://a.example:22/", "http:///x", "a.example", "http://a b/"],
)
def test_a_url_that_is_no_callback_says_what_is_wrong(url: str) -> None:
    with pytest.raises(InvalidSchema, match="callback_url is refused: "):
        Outbound((), (80, 443), 1).check(url, "callback_url")


@pytest.mark.parametrize("url", ["https://hooks.example/a?b=c", "http://93.184.216.34/", "https://bücher.example/"])
def test_an_ordinary_url_is_accepted(url: str) -> None:
    Outbound((), (80, 443), 1).check(url, "callback_url")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_an_operator_may_allow_a_network(host: str) -> None:
    Outbound(LOOPBACK, (80,), 1).check(f"http://{host}/", "callback_url")


async def test_a_name_with_one_forbidden_address_among_allowed_ones_is_refused() -> None:
    async with Receiver() as receiver:
        outbound = Outbound(LOOPBACK, (receiver.port,), 1, resolving(["127.0.0.1", "10.0.0.1"]))
        assert (await post(f"http://hooks.example:{receiver.port}/", outbound)).error == "ADDRESS_REFUSED"
        assert receiver.received == []


async def test_the_connection_goes_to_the_address_that_was_checked_and_every_post_is_checked_anew() -> None:
    async with Receiver() as receiver:
        rebinding = resolving(["127.0.0.1"], ["169.254.169.254"])
        outbound = Outbound(LOOPBACK, (receiver.port,), 5, rebinding)
        url = f"http://hooks.example:{receiver.port}/"
        first, second = await outbound.post(url, b"{}", {}), await outbound.post(url, b"{}", {})
        await outbound.close()
    assert (first.status_code, second.error) == (204, "ADDRESS_REFUSED")
    assert rebinding.calls == 2  # type: ignore[attr-defined]
    assert receiver.received[0].headers["host"] == f"hooks.example:{receiver.port}"


async def test_a_redirect_is_not_followed() -> None:
    async with Receiver(status(302, "location: /elsewhere"), OK) as receiver:
        outcome = await post(receiver.url, Outbound(LOOPBACK, (receiver.port,), 5))
    assert outcome == Outcome(302, "HTTP_302")
    assert [request.path for request in receiver.received] == ["/hook"]


async def test_an_answer_without_end_is_not_read() -> None:
    endless = b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n" + b"x" * 100_000
    async with Receiver(endless) as receiver:
        assert await post(receiver.url, Outbound(LOOPBACK, (receiver.port,), 5)) == Outcome(200, None)


async def test_an_endless_head_is_no_success() -> None:
    async with Receiver(b"HTTP/1.1 200 OK\r\nx: " + b"y" * 1_000_000) as receiver:
        assert (await post(receiver.url, Outbound(LOOPBACK, (receiver.port,), 5))).error == "CONNECTION_LOST"


async def test_a_receiver_that_hangs_costs_one_timeout() -> None:
    async with Receiver(None) as receiver:
        assert await post(receiver.url, Outbound(LOOPBACK, (receiver.port,), 0.2)) == Outcome(None, "TIMEOUT")


async def test_a_closed_port_can_be_tried_again() -> None:
    async with Receiver() as receiver:
        port = receiver.port
    assert await post(f"http://127.0.0.1:{port}/", Outbound(LOOPBACK, (port,), 5)) == Outcome(None, "CONNECT_FAILED")


async def test_gone_is_final_and_another_refusal_is_not() -> None:
    async with Receiver(status(410), status(500)) as receiver:
        outbound = Outbound(LOOPBACK, (receiver.port,), 5)
        assert await outbound.post(receiver.url, b"", {}) == Outcome(410, "HTTP_410", final=True)
        assert await post(receiver.url, outbound) == Outcome(500, "HTTP_500")


async def test_a_proxy_of_the_environment_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    async with Receiver() as receiver:
        assert (await post(receiver.url, Outbound(LOOPBACK, (receiver.port,), 5))).status_code == 204
