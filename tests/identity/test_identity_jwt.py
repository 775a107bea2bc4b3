import asyncio

import pytest
from identity_support import AUDIENCE, ISSUER, NOW, FixedKeys, Signer, bearer, call

from toolgate.errors import ConfigError, Refusal
from toolgate.identity.claims import ClaimMap
from toolgate.identity.jwt import MAX_TOKEN, Jwt
from toolgate.identity.signed_token import Issuer
from toolgate.identity.verified import Verified
from toolgate.model import Task

OTHER = "https://id.partner.example"


def issuer(keys, name=ISSUER, **fields) -> Issuer:
    return Issuer(**{"issuer": name, "audiences": (AUDIENCE,), "keys": keys, **fields})


@pytest.fixture
def signer() -> Signer:
    return Signer("ES256")


@pytest.fixture
def keys(signer) -> FixedKeys:
    return FixedKeys(signer)


async def test_a_token_says_who_calls(signer, keys, clock):
    names = ClaimMap(tenant=("org",), roles=("realm_access.roles",), tags=("labels",))
    claims = {
        "org": "acme",
        "realm_access": {"roles": ["analyst"]},
        "scope": "read write",
        "labels": ["eu"],
        "task": {"id": "close", "attributes": {"year": 2026}},
        "extra": [1, 2.5, None],
    }
    principal = await Jwt([issuer(keys, claims=names)], clock).identify(bearer(signer.token(claims)))
    assert principal is not None
    assert (principal.method, principal.user, principal.agent) == ("jwt", "alice", "report-bot")
    assert (principal.tenant, principal.roles, principal.tags) == ("acme", ("analyst",), ("eu",))
    assert (principal.scopes, principal.expires) == (("read", "write"), NOW + 630)
    assert principal.task == Task(id="close", attributes={"year": 2026})
    assert principal.claims["extra"] == [1, 2.5, None]
    assert principal.claims["iss"] == ISSUER


async def test_the_id_is_stable_and_separates_issuer_subject_and_agent(signer, clock):
    both = [issuer(FixedKeys(signer)), issuer(FixedKeys(signer), OTHER)]

    async def id_of(**claims) -> str:
        principal = await Jwt(both, clock).identify(bearer(signer.token(claims)))
        assert principal is not None
        return principal.id

    assert await id_of() == await id_of(jti="another token", exp=NOW + 60)
    ids = [await id_of(), await id_of(iss=OTHER), await id_of(sub="bob"), await id_of(azp="b")]
    ids += [await id_of(sub="alice\x00report", azp="-bot"), await id_of(sub="alice", azp="\x00report-bot")]
    assert len(set(ids)) == len(ids)
    assert all("alice" not in one for one in ids)


async def test_a_token_that_names_nobody_is_refused(signer, keys, clock):
    token = signer.token({"sub": "", "azp": "x"})
    with pytest.raises(Refusal, match="claim sub"):
        await Jwt([issuer(keys)], clock).identify(bearer(token))
    names = ClaimMap(user=("email",), agent=())
    with pytest.raises(Refusal, match="neither"):
        await Jwt([issuer(keys, claims=names)], clock).identify(bearer(token))


async def test_a_token_seen_before_is_not_verified_again(signer, keys, clock):
    identify = Jwt([issuer(keys)], clock).identify
    token = bearer(signer.token())
    principal = await identify(token)
    clock.now += 59
    assert await identify(token) is principal
    assert keys.asked == 1


async def test_after_a_minute_it_is_verified_again_and_gives_the_same_object(signer, keys, clock):
    """Policy remembers per object: a busy caller does not pay for that again each minute."""
    identify = Jwt([issuer(keys)], clock).identify
    token = bearer(signer.token())
    principal = await identify(token)
    clock.now += 60
    assert await identify(token) is principal
    assert keys.asked == 2


async def test_a_withdrawn_key_ends_a_remembered_token(signer, keys, clock):
    identify = Jwt([issuer(keys)], clock, remember=5).identify
    token = bearer(signer.token())
    await identify(token)
    keys.set = FixedKeys().set
    clock.now += 5
    with pytest.raises(Refusal):
        await identify(token)


async def test_a_remembered_token_ends_with_its_expiry(signer, keys, clock):
    identify = Jwt([issuer(keys, leeway=0)], clock, remember=1000).identify
    token = bearer(signer.token({"exp": NOW + 5}))
    assert await identify(token) is not None
    clock.now += 5
    with pytest.raises(Refusal, match="exp"):
        await identify(token)


async def test_only_so_many_tokens_are_remembered(signer, keys, clock):
    identify = Jwt([issuer(keys, verified=Verified(2))], clock).identify
    tokens = [bearer(signer.token({"sub": name})) for name in "abc"]
    for token in tokens:
        await identify(token)
    await identify(tokens[2])
    await identify(tokens[0])
    assert keys.asked == 4


async def test_a_refused_token_is_never_remembered(signer, keys, clock):
    identify = Jwt([issuer(keys)], clock).identify
    for _ in range(2):
        with pytest.raises(Refusal):
            await identify(bearer(signer.token({"aud": "x"})))
    assert keys.asked == 2


async def test_concurrent_first_calls_get_one_object(signer, clock):
    class SlowKeys(FixedKeys):
        async def find(self, kid, alg):
            await asyncio.sleep(0)
            return await super().find(kid, alg)

    identify = Jwt([issuer(SlowKeys(signer))], clock).identify
    token = bearer(signer.token())
    principals = await asyncio.gather(*(identify(token) for _ in range(5)))
    assert len({id(principal) for principal in principals}) == 1


async def test_each_issuer_has_its_own_keys_and_rules(signer, clock):
    partner = Signer("EdDSA")
    identify = Jwt(
        [issuer(FixedKeys(signer)), issuer(FixedKeys(partner), OTHER, audiences=("partner",))], clock
    ).identify
    assert await identify(bearer(signer.token())) is not None
    assert await identify(bearer(partner.token({"iss": OTHER, "aud": "partner"}))) is not None
    for token in (
        signer.token({"iss": OTHER, "aud": "partner"}),
        partner.token(),
        partner.token({"iss": OTHER}),
    ):
        with pytest.raises(Refusal):
            await identify(bearer(token))


@pytest.mark.parametrize("name", ["https://evil.example", None, 5, [ISSUER], {}], ids=str)
async def test_an_unknown_issuer_is_refused_before_any_key_is_asked_for(signer, keys, clock, name):
    with pytest.raises(Refusal, match="issuer"):
        await Jwt([issuer(keys)], clock).identify(bearer(signer.token({"iss": name})))
    assert keys.asked == 0


async def test_a_huge_token_is_refused_unread(keys, clock):
    with pytest.raises(Refusal, match="characters"):
        await Jwt([issuer(keys)], clock).identify(bearer("a" * MAX_TOKEN + ".b.c"))


@pytest.mark.parametrize(
    "header",
    [None, "", "Bearer", "Basic YTpi", "Bearer tg_key", "Bearer opaque", "Bearer a.b.c.d.e", "Bearer é.é.é"],
)
async def test_what_is_no_jwt_is_left_to_others(keys, clock, header):
    assert await Jwt([issuer(keys)], clock).identify(call(header)) is None


@pytest.mark.parametrize(
    "fields",
    [{"audiences": ()}, {"audiences": ("",)}, {"algorithms": ()}, {"algorithms": ("HS256",)}],
    ids=str,
)
def test_an_issuer_that_would_accept_too_much_is_a_config_error(keys, clock, fields):
    with pytest.raises(ConfigError):
        Jwt([issuer(keys, **fields)], clock)


def test_an_issuer_named_twice_is_a_config_error(keys, clock):
    with pytest.raises(ConfigError, match="twice"):
        Jwt([issuer(keys), issuer(keys)], clock)
