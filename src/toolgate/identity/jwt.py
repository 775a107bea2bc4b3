"""Bearer tokens signed by an issuer we trust. Knows who says so, not what the caller may do."""

from collections.abc import Sequence
from functools import lru_cache
from hashlib import sha256
from typing import Any

import msgspec

from toolgate.errors import ConfigError, Problem, Refusal
from toolgate.identity import claims, signed_token
from toolgate.identity.bearer import token_of
from toolgate.identity.jwks import ALGORITHMS
from toolgate.identity.possession import Possession, check_scheme
from toolgate.identity.signed_token import Issuer
from toolgate.model import Call, Principal, Secret
from toolgate.ports import Clock

MAX_TOKEN = 16 * 1024
_MAX_HEADER = len("Bearer ") + MAX_TOKEN


class Jwt:
    """Accepts JWT access tokens of several issuers (RFC 9068, RFC 8707 audiences)."""

    def __init__(
        self,
        issuers: Sequence[Issuer],
        clock: Clock,
        *,
        possession: Possession | None = None,
        remember: float = 60.0,
    ) -> None:
        """A verified token is not checked again for `remember` seconds.

        Without `possession`, tokens bound to a key or certificate are refused.

        Raises `ConfigError` for an issuer named twice, without audience or with an unknown algorithm.
        """
        problems = [problem for issuer in issuers for problem in _problems(issuer, issuers)]
        if problems:
            raise ConfigError(problems)
        self._issuers = {issuer.issuer: issuer for issuer in issuers}
        self._clock = clock
        self._possession = possession
        self._remember = remember
        self._verified = tuple(issuer.verified for issuer in issuers)

    async def identify(self, call: Call) -> Principal | None:
        """The principal of the token, the same object as long as it is known; None without a JWT.

        Raises `Refusal`: 401 for a token that is not accepted, 503 where its keys cannot be had.
        """
        header = call.authorization
        if header is None or not header.isascii():
            return None
        if len(header) > _MAX_HEADER:
            raise Refusal.unauthenticated(f"an authorization header of {len(header)} characters")
        # The whole header is hashed: cutting the token out first would copy it on every call.
        digest = _digest(header)
        now = self._clock()
        for verified in self._verified:
            principal = verified.current(digest, now)
            if principal is not None:
                return self._held(principal, call) if principal.bound else principal
        token = token_of(header)
        if token is None or token.count(".") != 2:
            return None
        principal = await self._verify(header, token, digest)
        return self._held(principal, call) if principal.bound else principal

    def _held(self, principal: Principal, call: Call) -> Principal:
        if self._possession is None:
            raise Refusal.unauthenticated("the token is bound, and nothing here can check to whom")
        return self._possession.held(principal, call)

    async def _verify(self, header: str, token: str, digest: bytes) -> Principal:
        unverified = signed_token.read(token)
        issuer = self._issuer_of(unverified.claims)
        expires = await signed_token.check(unverified, issuer, int(self._clock()))
        check_scheme(header, unverified.claims)
        # The same bytes say the same: the object that policy has remembered things about is kept.
        principal = issuer.verified.former(digest) or principal_of(token, unverified.claims, issuer, expires)
        issuer.verified.keep(digest, principal, min(expires, self._clock() + self._remember))
        return principal

    def _issuer_of(self, unverified: dict[str, Any]) -> Issuer:
        name = unverified.get("iss")
        issuer = self._issuers.get(name) if isinstance(name, str) else None
        issuer = issuer or self._issuers.get(_trust_domain(unverified.get("sub")))
        if issuer is None:
            raise Refusal.unauthenticated("a token of an issuer that is not accepted")
        return issuer


@lru_cache(maxsize=1024)
def _digest(header: str) -> bytes:
    """Made once for a header that comes again: the listener hands on the same text for the same bytes."""
    return sha256(header.encode()).digest()


def _trust_domain(subject: object) -> str:
    """`spiffe://domain` of a SPIFFE id, empty for anything else."""
    if not isinstance(subject, str) or not subject.startswith("spiffe://"):
        return ""
    return "spiffe://" + subject.removeprefix("spiffe://").partition("/")[0]


def principal_of(token: str, verified: dict[str, Any], issuer: Issuer, expires: float) -> Principal:
    """Whom the verified claims of a token name. Raises `Refusal` where they name nobody."""
    named = claims.read(verified, issuer.claims)
    return Principal(
        id=_id(issuer.issuer, verified.get("sub"), named.agent, named.tenant),
        method="jwt",
        agent=named.agent,
        user=named.user,
        tenant=named.tenant,
        actors=named.actors,
        roles=named.roles,
        scopes=named.scopes,
        tags=named.tags,
        task=named.task,
        claims=verified,
        expires=expires,
        bound="cnf" in verified,
        credential=Secret(token),
    )


def _id(issuer: str, subject: str | None, agent: str | None, tenant: str | None) -> str:
    if not subject and not agent:
        raise Refusal.unauthenticated("the token names neither a subject nor an agent")
    return "jwt:" + sha256(msgspec.json.encode((issuer, subject, agent, tenant))).hexdigest()[:32]


def _problems(issuer: Issuer, issuers: Sequence[Issuer]) -> list[Problem]:
    where = f"identity.issuers[{issuer.issuer}]"
    texts: list[str] = []
    if [other.issuer for other in issuers].count(issuer.issuer) > 1:
        texts.append("the issuer is named twice")
    if not issuer.audiences or "" in issuer.audiences:
        texts.append("an audience is needed: without one, tokens meant for others would be accepted")
    if not issuer.algorithms or not set(issuer.algorithms) <= set(ALGORITHMS):
        texts.append(f"algorithms are some of {', '.join(ALGORITHMS)}")
    return [Problem(text, key=where) for text in texts]
