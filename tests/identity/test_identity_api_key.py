import pytest
from identity_support import NOW, Hand, call

from toolgate.errors import ConfigError, Refusal
from toolgate.identity.api_key import ApiKey, ApiKeys, new_key
from toolgate.model import Task


def one_key(clock: Hand, **fields):
    text, digest = new_key()
    return text, ApiKeys([ApiKey(id="nightly", hash=digest, **fields)], clock)


async def test_a_key_is_accepted_in_either_header_and_gives_one_object(clock):
    text, keys = one_key(clock)
    principal = await keys.identify(call(f"Bearer {text}"))
    assert principal is not None
    assert await keys.identify(call(api_key=text)) is principal
    assert await keys.identify(call(f"bearer {text}", text)) is principal


async def test_the_principal_is_what_the_config_says(clock):
    text, keys = one_key(
        clock,
        user="ops",
        tenant="acme",
        roles=("reporting",),
        scopes=("read",),
        tags=("batch",),
        task=Task(id="close"),
        expires=NOW + 5.0,
    )
    principal = await keys.identify(call(api_key=text))
    assert principal is not None
    assert (principal.id, principal.method, principal.agent) == ("api_key:nightly", "api_key", "nightly")
    assert (principal.user, principal.tenant, principal.roles) == ("ops", "acme", ("reporting",))
    assert (principal.scopes, principal.tags, principal.task) == (("read",), ("batch",), Task(id="close"))
    assert principal.expires == NOW + 5.0


async def test_an_agent_named_in_the_config_wins_over_the_id(clock):
    text, keys = one_key(clock, agent="reporter")
    principal = await keys.identify(call(api_key=text))
    assert principal is not None
    assert principal.agent == "reporter"


async def test_an_expired_key_is_refused_by_name(clock):
    text, keys = one_key(clock, expires=NOW + 1.0)
    assert await keys.identify(call(api_key=text)) is not None
    clock.now += 1
    with pytest.raises(Refusal) as refused:
        await keys.identify(call(api_key=text))
    assert refused.value.status == 401
    assert "nightly has expired" in refused.value.reason
    assert text not in refused.value.reason + refused.value.text


@pytest.mark.parametrize(
    "wrong", ["tg_wrong", "", "no-prefix", "tg_" + "x" * 10_000, "tg_\x00", "tg_é", "tg_\ud800"]
)
async def test_a_wrong_key_is_refused_and_not_repeated(clock, wrong):
    _, keys = one_key(clock)
    with pytest.raises(Refusal) as refused:
        await keys.identify(call(api_key=wrong))
    assert (refused.value.status, refused.value.reason) == (401, "unknown API key")


async def test_a_wrong_key_in_the_authorization_header_is_refused(clock):
    _, keys = one_key(clock)
    with pytest.raises(Refusal, match="unknown API key"):
        await keys.identify(call("Bearer tg_wrong"))


@pytest.mark.parametrize("header", [None, "Bearer eyJ.e.s", "Basic dGc6X3g=", "Bearer tg_a b", "Bearer "])
async def test_other_credentials_are_left_to_others(clock, header):
    _, keys = one_key(clock)
    assert await keys.identify(call(header)) is None


def test_new_keys_are_long_random_and_known_by_hash():
    texts = {new_key()[0] for _ in range(50)}
    assert len(texts) == 50
    assert all(text.startswith("tg_") and len(text) == 46 for text in texts)


def test_every_unusable_key_is_named_in_one_error(clock):
    _, good = new_key()
    keys = [
        ApiKey(id="a", hash=good),
        ApiKey(id="b", hash=good),
        ApiKey(id="c", hash="sha256:abc"),
        ApiKey(id="d", hash=good.removeprefix("sha256:")),
        ApiKey(id="a", hash=new_key()[1]),
    ]
    with pytest.raises(ConfigError) as refused:
        ApiKeys(keys, clock)
    assert [problem.key for problem in refused.value.problems] == [
        "identity.api_keys[b]",
        "identity.api_keys[c]",
        "identity.api_keys[d]",
        "identity.api_keys[a]",
    ]
