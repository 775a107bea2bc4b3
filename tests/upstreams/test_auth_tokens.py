"""Tokens kept for principals: one request for all who wait, none crossed, none kept without bound."""

import asyncio
from collections import Counter
from collections.abc import Hashable

import pytest

from toolgate.errors import Refusal
from toolgate.upstreams.auth.token_endpoint import Token, TokenError
from toolgate.upstreams.auth.tokens import PAUSE, Tokens


class Issuing:
    """Gives tokens that name their key; holds or refuses them on demand."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.lifetime = 100.0
        self.asked: Counter[Hashable] = Counter()
        self.problem: TokenError | None = None
        self.gate = asyncio.Event()
        self.gate.set()

    async def obtain(self, key: Hashable) -> Token:
        self.asked[key] += 1
        await self.gate.wait()
        if self.problem is not None:
            raise self.problem
        return Token(f"{key}-{self.asked[key]}", self.now, self.now + self.lifetime)


@pytest.fixture
async def issuing() -> Issuing:
    return Issuing()


@pytest.fixture
async def tokens(issuing: Issuing) -> Tokens:
    return Tokens(issuing.obtain, lambda: issuing.now)


async def test_many_who_wait_cause_one_request(issuing: Issuing, tokens: Tokens) -> None:
    issuing.gate.clear()
    waiting = [asyncio.ensure_future(tokens.get("alice")) for _ in range(100)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    issuing.gate.set()
    got = await asyncio.gather(*waiting[1:])
    assert {token.text for token in got} == {"alice-1"}
    assert issuing.asked == {"alice": 1}


async def test_a_token_is_refreshed_ahead_of_its_end_and_nobody_waits(
    issuing: Issuing, tokens: Tokens
) -> None:
    await tokens.get("a")
    issuing.now += 85
    issuing.gate.clear()
    assert [(await tokens.get("a")).text for _ in range(3)] == ["a-1"] * 3
    issuing.gate.set()
    await asyncio.gather(*tokens._tasks)
    assert (await tokens.get("a")).text == "a-2"
    assert issuing.asked == {"a": 2}


async def test_a_failed_refresh_leaves_the_token_until_it_ends(issuing: Issuing, tokens: Tokens) -> None:
    await tokens.get("a")
    issuing.problem = TokenError("away")
    issuing.now += 85
    for _ in range(5):
        assert (await tokens.get("a")).text == "a-1"
        await asyncio.gather(*tokens._tasks)
    assert issuing.asked == {"a": 2}, "within the pause nobody asks again"
    issuing.now += 20
    with pytest.raises(Refusal) as caught:
        await tokens.get("a")
    assert (caught.value.kind, caught.value.reason) == ("upstream_unavailable", "away")


@pytest.mark.parametrize(("final", "kind"), [(True, "upstream_auth"), (False, "upstream_unavailable")])
async def test_a_refusal_is_shared_and_asked_again_after_a_pause(
    issuing: Issuing, tokens: Tokens, final: bool, kind: str
) -> None:
    issuing.problem = TokenError("no", final=final)
    results = await asyncio.gather(*(tokens.get("a") for _ in range(20)), return_exceptions=True)
    assert {getattr(result, "kind", None) for result in results} == {kind}
    assert len({id(result) for result in results}) == 20
    assert issuing.asked == {"a": 1}
    issuing.problem = None
    issuing.now += PAUSE
    assert (await tokens.get("a")).text == "a-2"


async def test_only_the_token_that_was_refused_is_dropped(issuing: Issuing, tokens: Tokens) -> None:
    first = await tokens.get("a")
    assert tokens.drop("a", first.text)
    assert tokens.drop("a", first.text)
    assert (await tokens.get("a")).text == "a-2"
    assert tokens.drop("a", first.text), "a newer one is there to be tried"
    assert (await tokens.get("a")).text == "a-2"


async def test_a_server_that_refuses_everything_costs_one_token_a_second(
    issuing: Issuing, tokens: Tokens
) -> None:
    helped = [tokens.drop("a", (await tokens.get("a")).text) for _ in range(10)]
    assert helped == [True, *[False] * 9]
    assert issuing.asked == {"a": 2}
    issuing.now += PAUSE
    assert tokens.drop("a", (await tokens.get("a")).text)


async def test_no_more_are_kept_than_the_bound(issuing: Issuing) -> None:
    tokens = Tokens(issuing.obtain, lambda: issuing.now, capacity=3)
    for key in "abcde":
        await tokens.get(key)
    await tokens.get("e")
    await tokens.get("a")
    assert issuing.asked == {"a": 2, "b": 1, "c": 1, "d": 1, "e": 1}
    assert len(tokens._slots) == 3


async def test_closing_ends_requests_under_way(issuing: Issuing, tokens: Tokens) -> None:
    issuing.gate.clear()
    waiting = asyncio.ensure_future(tokens.get("a"))
    await asyncio.sleep(0)
    await tokens.aclose()
    with pytest.raises(Refusal):
        await waiting


async def test_two_hundred_users_at_five_servers_never_cross_and_refresh_once(issuing: Issuing) -> None:
    """With failures, refused tokens and expiry in between; each token names whom it was got for."""
    servers = {name: Tokens(issuing.obtain, lambda: issuing.now) for name in range(5)}
    crossed = 0

    async def use(server: int, user: int) -> None:
        nonlocal crossed
        try:
            token = await servers[server].get((server, user))
        except Refusal:
            return
        crossed += not token.text.startswith(f"({server}, {user})-")
        if (user + int(issuing.now)) % 7 == 0:
            servers[server].drop((server, user), token.text)

    for round_ in range(12):
        before = Counter(issuing.asked)
        issuing.problem = TokenError("away") if round_ % 4 == 3 else None
        everyone = [use(server, user) for server in servers for user in range(200) for _ in range(2)]
        await asyncio.gather(*everyone)
        rest = [task for tokens in servers.values() for task in tokens._tasks]
        await asyncio.gather(*rest)
        assert max((issuing.asked - before).values(), default=0) <= 1
        issuing.now += 37
    assert crossed == 0
