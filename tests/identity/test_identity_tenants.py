"""MT-01: two callers that differ in tenant, user, agent or issuer share nothing that either could look through.

Every place that keeps something for a caller is filled by one and searched by the other.
"""

import asyncio

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from identity_support import AUDIENCE, NOW, FixedKeys, Hand, Signer, bearer

from toolgate.identity.claims import ClaimMap
from toolgate.identity.jwt import Jwt
from toolgate.identity.signed_token import Issuer
from toolgate.model import Principal
from toolgate.protocol.seal import KeyRing
from toolgate.routing.sessions import Sessions
from toolgate.upstreams.auth.token_endpoint import Token
from toolgate.upstreams.auth.tokens import Tokens

SIGNER = Signer("EdDSA")
KEYS = FixedKeys(SIGNER)
ISSUERS = ("https://a.example", "https://a.example/", "https://b.example")

# Few and colliding names, with the signs that a careless join of parts would stumble over.
names = st.sampled_from(["a", "b", "a:b", "a\0b", "b:", ":", "a b", '"', "é"])
callers = st.fixed_dictionaries(
    {"iss": st.sampled_from(ISSUERS), "sub": names, "azp": names, "org": names | st.none()}
)


def jwt() -> Jwt:
    claims = ClaimMap(tenant=("org",))
    issuers = [Issuer(issuer=name, audiences=(AUDIENCE,), keys=KEYS, claims=claims) for name in ISSUERS]
    return Jwt(issuers, Hand())


async def principal_of(jwt: Jwt, caller: dict[str, str | None]) -> Principal:
    claims = {name: value for name, value in caller.items() if value is not None}
    principal = await jwt.identify(bearer(SIGNER.token(claims)))
    assert principal is not None
    return principal


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(callers, callers)
def test_what_is_kept_for_one_is_not_found_by_another(one: dict, other: dict) -> None:
    async def look_across() -> tuple[bool, bool, bool]:
        way = jwt()
        mine, theirs = await principal_of(way, one), await principal_of(way, other)
        sessions = Sessions(KeyRing([b"k" * 32]), 60.0, Hand())
        text = sessions.mint(sessions.begin(mine, "2025-11-25", {}))
        tokens = Tokens(_token_of, Hand())
        same_token = await tokens.get(mine) == await tokens.get(theirs)
        return mine.id == theirs.id, sessions.open(text, theirs) is not None, same_token

    assert asyncio.run(look_across()) == ((one == other),) * 3


async def _token_of(principal: Principal) -> Token:
    return Token(principal.id + str(id(principal)), NOW, NOW + 60)
