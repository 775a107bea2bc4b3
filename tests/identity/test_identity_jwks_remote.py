import asyncio
from functools import partial

import pytest
from identity_support import AUDIENCE, ISSUER, Signer, bearer, key_set

from toolgate.errors import Refusal
from toolgate.identity.jwks import MAX_BYTES
from toolgate.identity.jwks_remote import RemoteKeys
from toolgate.identity.jwt import Jwt
from toolgate.identity.signed_token import Issuer

OLD = Signer("ES256", "old")
NEW = Signer("ES256", "new")
PATH = "/jwks.json"


async def at(url: str) -> str:
    return url


@pytest.fixture
async def keys(site, http, clock):
    site.serve(PATH, key_set(OLD.jwk()))
    keys = RemoteKeys(http, partial(at, site.url + PATH), clock)
    yield keys
    await keys.aclose()


async def test_the_set_is_fetched_once_and_remembered(keys, site):
    for _ in range(3):
        assert await keys.find("old", "ES256") is not None
    assert site.requests == [PATH]


async def test_concurrent_first_calls_share_one_fetch(keys, site):
    site.gate.clear()
    calls = [asyncio.create_task(keys.find("old", "ES256")) for _ in range(20)]
    await asyncio.wait_for(site.arrived.wait(), 5)
    site.gate.set()
    assert all(await asyncio.wait_for(asyncio.gather(*calls), 5))
    assert site.requests == [PATH]


async def test_a_caller_that_goes_away_does_not_take_the_fetch_from_the_others(keys, site):
    site.gate.clear()
    first = asyncio.create_task(keys.find("old", "ES256"))
    await asyncio.wait_for(site.arrived.wait(), 5)
    second = asyncio.create_task(keys.find("old", "ES256"))
    first.cancel()
    await asyncio.wait([first])
    site.gate.set()
    assert await asyncio.wait_for(second, 5) is not None
    assert site.requests == [PATH]


async def test_keys_rotate_without_a_lost_call(keys, site, clock):
    """Tokens of both keys at once, in the moment the new key appears: one fetch, no refusal."""
    identify = Jwt([Issuer(issuer=ISSUER, audiences=(AUDIENCE,), keys=keys)], clock).identify
    await identify(bearer(OLD.token()))
    clock.now += 10
    site.serve(PATH, key_set(OLD.jwk(), NEW.jwk()))
    tokens = [signer.token({"jti": str(number)}) for number in range(20) for signer in (OLD, NEW)]
    principals = await asyncio.wait_for(asyncio.gather(*(identify(bearer(token)) for token in tokens)), 5)
    assert all(principals)
    assert site.requests == [PATH, PATH]


async def test_made_up_key_names_do_not_aim_us_at_the_issuer(keys, site, clock):
    assert await keys.find("old", "ES256") is not None
    for number in range(50):
        assert await keys.find(f"made-up-{number}", "ES256") is None
    assert len(site.requests) == 1
    clock.now += 10
    for number in range(50):
        assert await keys.find(f"made-up-{number}", "ES256") is None
    assert len(site.requests) == 2


async def test_a_withdrawn_key_is_gone_once_the_set_is_old(keys, site, clock):
    await keys.find("old", "ES256")
    site.serve(PATH, key_set(NEW.jwk()))
    clock.now += 600
    site.arrived.clear()
    assert await keys.find("old", "ES256") is not None  # asks again, but no caller waits
    await asyncio.wait_for(site.arrived.wait(), 5)
    await asyncio.wait_for(settled(keys), 5)
    assert await keys.find("old", "ES256") is None


async def test_a_set_that_cannot_be_refreshed_stays_in_force(keys, site, clock):
    await keys.find("old", "ES256")
    await site.stop()
    clock.now += 3600
    assert await keys.find("old", "ES256") is not None
    with pytest.raises(Refusal) as refused:
        await asyncio.wait_for(keys.find("new", "ES256"), 5)
    assert refused.value.status == 503
    assert await keys.find("old", "ES256") is not None


@pytest.mark.parametrize(
    ("status", "body"),
    [(500, b"{}"), (404, b""), (302, b""), (200, b"<html>"), (200, b" " * (MAX_BYTES + 1))],
    ids=["500", "404", "redirect", "html", "huge"],
)
async def test_without_keys_the_answer_is_503_and_not_401(keys, site, clock, status, body):
    site.serve(PATH, body, status)
    with pytest.raises(Refusal) as refused:
        await asyncio.wait_for(keys.find("old", "ES256"), 5)
    assert (refused.value.status, refused.value.kind) == (503, "identity_unavailable")
    assert site.url not in refused.value.text
    site.serve(PATH, key_set(OLD.jwk()))
    with pytest.raises(Refusal):
        await keys.find("old", "ES256")
    clock.now += 10
    assert await keys.find("old", "ES256") is not None
    assert len(site.requests) == 2


async def test_an_issuer_that_does_not_answer_is_given_up(site, http, clock):
    keys = RemoteKeys(http, partial(at, site.url + PATH), clock, deadline=0.05)
    site.gate.clear()
    with pytest.raises(Refusal) as refused:
        await asyncio.wait_for(keys.find("old", "ES256"), 5)
    assert refused.value.status == 503


async def test_looking_for_the_address_counts_against_the_deadline(http, clock):
    async def nowhere() -> str:
        await asyncio.Event().wait()
        return ""

    keys = RemoteKeys(http, nowhere, clock, deadline=0.05)
    with pytest.raises(Refusal, match="deadline") as refused:
        await asyncio.wait_for(keys.find("old", "ES256"), 5)
    assert refused.value.status == 503


async def test_closing_ends_a_fetch_and_the_calls_that_wait_for_it(keys, site):
    site.gate.clear()
    waiting = asyncio.create_task(keys.find("old", "ES256"))
    await asyncio.wait_for(site.arrived.wait(), 5)
    await asyncio.wait_for(keys.aclose(), 5)
    with pytest.raises(Refusal) as refused:
        await asyncio.wait_for(waiting, 5)
    assert refused.value.status == 503


async def test_a_clock_set_back_does_not_stop_the_fetching(keys, site, clock):
    await keys.find("old", "ES256")
    site.serve(PATH, key_set(NEW.jwk()))
    clock.now -= 3600
    assert await keys.find("new", "ES256") is not None


async def settled(keys: RemoteKeys) -> None:
    """A name nobody has waits for the fetch under way."""
    await keys.find("nobody", "ES256")
