"""Opaque tokens: what the issuer says counts, for as long as configured, and nothing else is believed (RFC 7662)."""

import asyncio
import json
from typing import Any
from urllib.parse import parse_qsl

import pytest
from identity_support import AUDIENCE, ISSUER, NOW, FixedKeys, Hand, call

from toolgate.errors import Refusal
from toolgate.identity.dpop import Dpop, Replays
from toolgate.identity.introspection import PAUSE, Endpoint, Introspected, Introspection
from toolgate.identity.possession import Possession
from toolgate.identity.proxies import Proxies
from toolgate.identity.signed_token import Issuer
from toolgate.ports import HttpError
from toolgate.protocol.client_authentication import SecretInHeader

GOOD = {"active": True, "sub": "alice", "client_id": "bot", "aud": AUDIENCE, "exp": NOW + 600, "scope": "a b"}


class MockHttp:
    """Meets `ports.Http` with an answer that the test changes."""

    def __init__(self) -> None:
        self.status, self.answer = 200, json.dumps(GOOD).encode()
        self.error: HttpError | None = None
        self.forms: list[dict[str, str]] = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def request(self, method: str, url: str, headers: Any, body: bytes, **rest: Any) -> "MockHttp":
        self.forms.append(dict(parse_qsl(body.decode())))
        await self.gate.wait()
        if self.error is not None:
            raise self.error
        return self

    async def read(self, limit: int) -> bytes:
        return self.answer

    def close(self) -> None:
        """Nothing is open."""

    async def aclose(self) -> None:
        """Nothing is open."""

    def says(self, **changes: Any) -> None:
        self.answer = json.dumps({**GOOD, **changes}).encode()


@pytest.fixture
async def http() -> MockHttp:
    return MockHttp()


@pytest.fixture
async def way(http: Any, clock: Hand) -> Introspection:
    issuer = Issuer(issuer=ISSUER, audiences=(AUDIENCE,), keys=FixedKeys())
    endpoint = Endpoint(http, "https://login.example.com/introspect", SecretInHeader("us", "secret"))
    possession = Possession(Dpop(Replays(clock), clock, None), Proxies([]))
    return Introspection([Introspected(issuer, endpoint, 5.0)], clock, possession)


def opaque(text: str = "opaque-token", scheme: str = "Bearer") -> Any:
    return call(f"{scheme} {text}")


async def refusal(way: Introspection, made: Any = None) -> Refusal:
    with pytest.raises(Refusal) as caught:
        await way.identify(made or opaque())
    return caught.value


async def test_the_issuer_says_who_calls(way: Introspection, http: MockHttp) -> None:
    principal = await way.identify(opaque())
    assert principal is not None
    assert (principal.user, principal.agent, principal.scopes) == ("alice", "bot", ("a", "b"))
    assert http.forms == [{"token": "opaque-token", "token_type_hint": "access_token"}]


async def test_an_answer_counts_for_a_while_and_a_revoked_token_no_longer(
    way: Introspection, http: MockHttp, clock: Hand
) -> None:
    first = await way.identify(opaque())
    http.answer = b'{"active": false}'
    clock.now += 4.9
    assert await way.identify(opaque()) is first
    clock.now += 0.2
    assert "no issuer knows" in (await refusal(way)).reason
    assert len(http.forms) == 2


async def test_what_did_not_change_is_the_same_principal(
    way: Introspection, http: MockHttp, clock: Hand
) -> None:
    first = await way.identify(opaque())
    clock.now += 6
    assert await way.identify(opaque()) is first
    clock.now += 6
    http.says(scope="a")
    other = await way.identify(opaque())
    assert other is not None
    assert other.scopes == ("a",)


async def test_many_who_wait_ask_once_and_one_may_leave(way: Introspection, http: MockHttp) -> None:
    http.gate.clear()
    waiting = [asyncio.ensure_future(way.identify(opaque())) for _ in range(50)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    http.gate.set()
    found = await asyncio.gather(*waiting[1:])
    assert len({id(principal) for principal in found}) == 1
    assert len(http.forms) == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"active": False},
        {"active": "true"},
        {"active": 1},
        {"iss": "https://evil.example"},
        {"aud": "https://other.example"},
        {"aud": None},
        {"aud": []},
        {"aud": {AUDIENCE: 1}},
        {"exp": NOW - 31},
        {"exp": "9999999999"},
        {"exp": True},
        {"nbf": NOW + 31},
        {"nbf": "soon"},
        {"sub": None, "client_id": None},
        {"sub": 5},
        {"act": "x"},
        {"cnf": {"jkt": "x"}},
        {"cnf": {"x5t#S256": "x"}},
        {"cnf": {"other": "x"}},
    ],
)
async def test_a_token_that_is_not_good_for_us_is_refused(
    way: Introspection, http: MockHttp, changes: dict[str, Any]
) -> None:
    http.says(**changes)
    assert (await refusal(way)).status == 401


async def test_a_token_of_one_part_shown_as_bound_but_unbound_is_refused(way: Introspection) -> None:
    assert (await refusal(way, opaque(scheme="DPoP"))).status == 401


async def test_a_no_is_not_asked_again_at_once(way: Introspection, http: MockHttp, clock: Hand) -> None:
    http.answer = b'{"active": false}'
    for _ in range(5):
        await refusal(way)
    assert len(http.forms) == 1
    clock.now += PAUSE
    await refusal(way)
    assert len(http.forms) == 2


@pytest.mark.parametrize(
    ("status", "answer", "error"),
    [
        (401, b"{}", None),
        (500, b"", None),
        (200, b"[]", None),
        (200, b"<html>", None),
        (200, b"[" * 100_000, None),
        (200, b"", HttpError("connect", "no connection", sent=False)),
    ],
)
async def test_an_issuer_that_cannot_be_asked_makes_no_call_and_no_bad_token(
    way: Introspection, http: MockHttp, clock: Hand, status: int, answer: bytes, error: HttpError | None
) -> None:
    """A 401 would make clients throw a good token away."""
    http.status, http.answer, http.error = status, answer, error
    assert (await refusal(way)).status == 503
    http.status, http.answer, http.error = 200, json.dumps(GOOD).encode(), None
    clock.now += PAUSE
    assert await way.identify(opaque()) is not None


@pytest.mark.parametrize("header", [None, "Basic x", "Bearer a.b.c", "Bearer"])
async def test_other_credentials_are_left_to_others(
    way: Introspection, http: MockHttp, header: str | None
) -> None:
    assert await way.identify(call(header)) is None
    assert http.forms == []
