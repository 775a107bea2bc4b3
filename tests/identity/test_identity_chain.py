import asyncio

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from identity_support import AUDIENCE, ISSUER, FixedKeys, Hand, Signer, call

from toolgate.errors import Refusal
from toolgate.identity.anonymous import Anonymous
from toolgate.identity.api_key import ApiKey, ApiKeys, new_key
from toolgate.identity.chain import Chain
from toolgate.identity.jwt import Jwt
from toolgate.identity.signed_token import Issuer
from toolgate.model import Principal

SIGNER = Signer("EdDSA")
KEY, HASH = new_key()
TOKEN = SIGNER.token()


def whole_chain() -> Chain:
    clock = Hand()
    jwt = Jwt([Issuer(issuer=ISSUER, audiences=(AUDIENCE,), keys=FixedKeys(SIGNER))], clock)
    return Chain([ApiKeys([ApiKey(id="k", hash=HASH)], clock), jwt, Anonymous()])


@pytest.mark.parametrize(
    ("credentials", "method"),
    [
        ({"authorization": f"Bearer {TOKEN}"}, "jwt"),
        ({"authorization": f"Bearer {KEY}"}, "api_key"),
        ({"api_key": KEY}, "api_key"),
        ({"authorization": f"Bearer {KEY}", "api_key": KEY}, "api_key"),
        ({"client_ip": "127.0.0.1"}, "anonymous"),
    ],
)
async def test_each_kind_of_credential_finds_its_way(credentials, method):
    assert (await whole_chain().identify(call(**credentials))).method == method


async def test_the_first_that_knows_the_caller_decides():
    class Knows:
        def __init__(self, principal: Principal | None) -> None:
            self.principal = principal

        async def identify(self, call) -> Principal | None:
            return self.principal

    first, second = (Principal(id=name, method="jwt") for name in "ab")
    chain = Chain([Knows(None), Knows(first), Knows(second)])
    assert await chain.identify(call()) is first


async def test_a_credential_that_is_refused_is_not_tried_elsewhere():
    with pytest.raises(Refusal, match="unknown API key"):
        await whole_chain().identify(call("Bearer tg_wrong", client_ip="127.0.0.1"))


@pytest.mark.parametrize(
    ("credentials", "reason"),
    [
        ({}, "no credential"),
        ({"authorization": ""}, "not a well-formed bearer"),
        ({"authorization": "Basic YTpi"}, "not a well-formed bearer"),
        ({"authorization": "Bearer"}, "not a well-formed bearer"),
        ({"authorization": "Bearer \x07"}, "not a well-formed bearer"),
        ({"authorization": "Bearer ü.ü.ü"}, "not a well-formed bearer"),
        ({"authorization": "Bearer opaque"}, "no accepted kind"),
        ({"authorization": f"Bearer {TOKEN}", "api_key": KEY}, "two different credentials"),
        ({"authorization": f"Bearer {KEY}", "api_key": KEY + "x"}, "two different credentials"),
        ({"authorization": "", "api_key": ""}, "two different credentials"),
    ],
)
async def test_a_caller_nobody_knows_is_refused_with_a_reason(credentials, reason):
    with pytest.raises(Refusal, match=reason) as refused:
        await whole_chain().identify(call(**credentials))
    assert (refused.value.status, refused.value.kind) == (401, "unauthenticated")
    assert reason not in refused.value.text


async def test_an_empty_chain_lets_nobody_in():
    with pytest.raises(Refusal):
        await Chain([]).identify(call(client_ip="127.0.0.1"))


HEADER = st.one_of(
    st.none(),
    st.text(max_size=200),
    st.binary(max_size=200).map(lambda raw: raw.decode("latin-1")),
    st.text(max_size=200).map("Bearer ".__add__),
    st.text("abc.-_tg\x00é", max_size=40).map("Bearer ".__add__),
    st.tuples(st.integers(0, len(TOKEN)), st.text(max_size=3)).map(
        lambda at: f"Bearer {TOKEN[: at[0]]}{at[1]}{TOKEN[at[0] :]}"
    ),
)


@settings(max_examples=400, deadline=None)
@given(
    authorization=HEADER,
    api_key=HEADER,
    client_ip=st.sampled_from(["", "127.0.0.1", "192.0.2.1"]) | st.text(),
)
@example(authorization="Bearer \ud800.\ud800.\ud800", api_key=None, client_ip="")
@example(authorization="Bearer " + "a." * 10_000, api_key=None, client_ip="")
def test_whatever_the_headers_say_the_answer_is_a_principal_or_a_401(authorization, api_key, client_ip):
    async def ask() -> Principal | Refusal:
        try:
            return await whole_chain().identify(call(authorization, api_key, client_ip))
        except Refusal as refusal:
            return refusal

    answer = asyncio.run(ask())
    assert isinstance(answer, Principal) or answer.status == 401
