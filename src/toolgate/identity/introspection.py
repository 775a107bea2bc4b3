"""Tokens that say nothing themselves: their issuer is asked (RFC 7662). Knows no signatures."""

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from hashlib import sha256
from typing import Any
from urllib.parse import urlencode

import msgspec
from msgspec import Struct

from toolgate.errors import Refusal
from toolgate.identity.bearer import token_of
from toolgate.identity.jwks import unavailable
from toolgate.identity.jwt import MAX_TOKEN, principal_of
from toolgate.identity.possession import Possession, check_scheme
from toolgate.identity.signed_token import Issuer
from toolgate.model import Call, Principal
from toolgate.ports import Clock, Http, HttpError
from toolgate.protocol.client_authentication import Prove

MAX_ANSWER = 256 * 1024
CAPACITY = 10_000
"""Answers remembered, also those that a token is worth nothing; the oldest goes first."""

PAUSE = 1.0
"""Seconds a no is remembered, or strangers could make us ask for every request of theirs."""

SECONDS = 5.0
"""For one question as a whole."""


class _Down(Exception):
    """An issuer does not answer as it should."""


class Endpoint:
    """One introspection endpoint and one client of it."""

    def __init__(self, http: Http, url: str, client: Prove) -> None:
        self._http = http
        self._url = url
        self._client = client

    async def ask(self, token: str) -> dict[str, Any]:
        """What the issuer says of a token. Raises `_Down`."""
        form = {"token": token, "token_type_hint": "access_token"}
        headers = (
            *self._client.prove(form, self._url),
            (b"content-type", b"application/x-www-form-urlencoded"),
            (b"accept", b"application/json"),
        )
        try:
            async with asyncio.timeout(SECONDS):
                body = urlencode(form).encode()
                response = await self._http.request(
                    "POST", self._url, headers, body, timeout=SECONDS, repeatable=True
                )
                try:
                    answer = await response.read(MAX_ANSWER)
                finally:
                    response.close()
        except (HttpError, TimeoutError) as error:
            raise _Down(f"introspection: {str(error) or 'no answer in time'}") from error
        if response.status != 200:
            raise _Down(f"introspection: answered {response.status}")
        try:
            return msgspec.json.decode(answer, type=dict[str, Any])
        except (ValueError, RecursionError):
            raise _Down("introspection: an answer that is no JSON object") from None


class Introspected(Struct, frozen=True):
    """An issuer that is asked."""

    issuer: Issuer
    endpoint: Endpoint
    remember: float
    """Seconds an answer counts."""


class _Answer(Struct):
    """What is remembered of a token: whom it names, or why nobody."""

    until: float
    principal: Principal | None = None
    refused: str = ""
    down: bool = False
    """Whether nobody could be asked."""


class Introspection:
    """Accepts opaque tokens of the issuers that can be asked, one after the other."""

    def __init__(self, issuers: Sequence[Introspected], clock: Clock, possession: Possession) -> None:
        self._issuers = tuple(issuers)
        self._clock = clock
        self._possession = possession
        self._answers: OrderedDict[bytes, _Answer] = OrderedDict()
        self._asking: dict[bytes, asyncio.Task[_Answer]] = {}

    async def identify(self, call: Call) -> Principal | None:
        """The principal of the token; None without an opaque one.

        Raises `Refusal`: 401 for a token that is not in force or not for us, 503 where nobody can say.
        """
        header = call.authorization
        token = token_of(header)
        if header is None or token is None or token.count(".") == 2:
            return None
        if len(token) > MAX_TOKEN:
            raise Refusal.unauthenticated(f"a token of {len(token)} characters")
        answer = await self._answer(header, token)
        if answer.down:
            raise unavailable(answer.refused)
        if answer.principal is None:
            raise Refusal.unauthenticated(answer.refused)
        return self._possession.held(answer.principal, call) if answer.principal.bound else answer.principal

    async def aclose(self) -> None:
        """Ends the questions under way."""
        asking = list(self._asking.values())
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)

    async def _answer(self, header: str, token: str) -> _Answer:
        digest = sha256(header.encode()).digest()
        answer = self._answers.get(digest)
        if answer is not None and self._clock() < answer.until:
            return answer
        task = self._asking.get(digest)
        if task is None:
            task = self._asking[digest] = asyncio.create_task(self._ask(digest, header, token))
            task.add_done_callback(lambda _: self._asking.pop(digest, None))
        # Shielded: the question belongs to everybody who waits, not to the one who goes away.
        return await asyncio.shield(task)

    async def _ask(self, digest: bytes, header: str, token: str) -> _Answer:
        try:
            answer = await self._asked(digest, header, token)
        except _Down as down:
            answer = _Answer(self._clock() + PAUSE, refused=str(down), down=True)
        self._answers[digest] = answer
        self._answers.move_to_end(digest)
        if len(self._answers) > CAPACITY:
            self._answers.popitem(last=False)
        return answer

    async def _asked(self, digest: bytes, header: str, token: str) -> _Answer:
        refused = "no issuer knows the token"
        for asked in self._issuers:
            claims = await asked.endpoint.ask(token)
            if claims.get("active") is not True:
                continue
            try:
                check_scheme(header, claims)
                expires = _checked(claims, asked.issuer, self._clock())
                principal = self._same(digest, principal_of(token, claims, asked.issuer, expires))
                return _Answer(min(expires, self._clock() + asked.remember), principal)
            except Refusal as refusal:
                refused = refusal.reason
        return _Answer(self._clock() + PAUSE, refused=refused)

    def _same(self, digest: bytes, principal: Principal) -> Principal:
        # Where nothing changed the object stays: policy and exchanged tokens are remembered by it.
        former = self._answers.get(digest)
        return (
            principal
            if former is None or former.principal is None or _differs(former.principal, principal)
            else former.principal
        )


def _differs(former: Principal, principal: Principal) -> bool:
    return former.id != principal.id or former.claims != principal.claims


def _checked(claims: dict[str, Any], issuer: Issuer, now: float) -> float:
    """When the token ends. Raises `Refusal` where it is another issuer's, for others or not in force."""
    if claims.get("iss", issuer.issuer) != issuer.issuer:
        raise Refusal.unauthenticated("introspection: a token of another issuer")
    audience = claims.get("aud")
    audiences = audience if isinstance(audience, list) else [audience]
    if not any(isinstance(one, str) and one in issuer.audiences for one in audiences):
        raise Refusal.unauthenticated("introspection: aud is not for us, or the issuer does not say")
    expires, begins = claims.get("exp", now + 3600), claims.get("nbf", 0)
    if isinstance(expires, bool) or not isinstance(expires, int | float) or now >= expires + issuer.leeway:
        raise Refusal.unauthenticated("introspection: the token has expired")
    if not isinstance(begins, int | float) or begins > now + issuer.leeway:
        raise Refusal.unauthenticated("introspection: the token is not valid yet")
    return float(expires + issuer.leeway)
