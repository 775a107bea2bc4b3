"""One signed token (RFC 7519) against one issuer's rules. Knows no principals."""

import json
from typing import Any

import msgspec
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwa import JWSAlgModel
from joserfc.jwk import Key
from joserfc.jws import CompactSignature, JWSRegistry
from joserfc.jwt import JWTClaimsRegistry
from msgspec import Struct, field

from toolgate.errors import Refusal
from toolgate.identity.claims import ClaimMap
from toolgate.identity.jwks import ALGORITHMS, Keys
from toolgate.identity.verified import Verified

# RFC 9068 and plain JWTs. An ID-JAG, a DPoP proof or a logout token is signed by the same issuer and
# says something else.
_TYPES = frozenset({"at+jwt", "application/at+jwt", "jwt"})
_SVID_TYPES = frozenset({"jwt", "jose"})

_LAST_DATE = 253_402_300_799
"""The end of the year 9999."""


class Issuer(Struct, frozen=True):
    """Whose tokens are accepted, and what for."""

    issuer: str
    """Compared with `iss` character by character; for SVIDs, the trust domain that `sub` must lie in."""
    audiences: tuple[str, ...]
    """One of them must be in `aud`."""
    keys: Keys
    verified: Verified = field(default_factory=Verified)
    """Whose tokens were found good; like the keys, it may be older than this object."""
    algorithms: tuple[str, ...] = ALGORITHMS
    claims: ClaimMap = ClaimMap()
    leeway: int = 30
    """Seconds that clocks may differ."""
    svid: bool = False
    """Whether its tokens are JWT-SVIDs (SPIFFE), which need no `iss`."""


class SignedToken(Struct, frozen=True):
    """What a token says. Nothing of it is true before `check` returns."""

    signature: CompactSignature
    header: dict[str, Any]
    claims: dict[str, Any]


class _Registry(JWSRegistry):
    """RFC 9864 gives EdDSA on this curve the name Ed25519; the library warns about the old one."""

    max_header_length = 2048  # The default of 512 leaves no room for a certificate's thumbprints.

    def get_alg(self, name: str) -> JWSAlgModel:
        return super().get_alg("Ed25519" if name == "EdDSA" else name)


# Header members nobody knows are ignored (RFC 7515 section 4), hence not strict; `crit` is ours to check.
_REGISTRY = _Registry(algorithms=("RS256", "ES256", "Ed25519"), strict_check_header=False)


def read(token: str) -> SignedToken:
    """The parts of a compact token, unverified. Raises `Refusal`."""
    try:
        signature = jws.extract_compact(token.encode("ascii"), registry=_REGISTRY)
        claims = _read_claims(signature.payload)
    except (JoseError, TypeError, ValueError, RecursionError) as error:
        raise Refusal.unauthenticated(f"malformed token: {type(error).__name__}") from error
    header = signature.headers()
    # The library accepts any JSON value that contains "alg".
    if not isinstance(header, dict):
        raise Refusal.unauthenticated("malformed token: the header is not an object")
    return SignedToken(signature, header, claims)


async def check(token: SignedToken, issuer: Issuer, now: int) -> float:
    """When the token stops being accepted, in unix seconds.

    Raises `Refusal`: 401 where it is not this issuer's, not for us or not in force; 503 without keys.
    """
    alg, kid = _check_header(token.header, issuer)
    key = await issuer.keys.find(kid, alg)
    if key is None:
        raise Refusal.unauthenticated(f"{issuer.issuer} has no {alg} key of that name")
    check_signature(token.signature, key)
    return _check_claims(token.claims, issuer, now)


def _check_header(header: dict[str, Any], issuer: Issuer) -> tuple[str, str | None]:
    # We understand no extension, so nothing may be critical (RFC 7515 section 4.1.11); b64 is RFC 7797.
    if "crit" in header or "b64" in header:
        raise Refusal.unauthenticated("the token demands an extension")
    kind = header.get("typ", "JWT")
    if not isinstance(kind, str) or kind.lower() not in (_SVID_TYPES if issuer.svid else _TYPES):
        raise Refusal.unauthenticated("not an access token by its typ")
    alg, kid = header["alg"], header.get("kid")
    if alg not in issuer.algorithms:
        raise Refusal.unauthenticated("the token is signed with an algorithm that is not accepted")
    if kid is not None and not isinstance(kid, str):
        raise Refusal.unauthenticated("kid is not a string")
    return alg, kid


def check_signature(signature: CompactSignature, key: Key) -> None:
    """Raises `Refusal` (401) where it is not by this key."""
    try:
        valid = jws.validate_compact(signature, key, registry=_REGISTRY)
    except (JoseError, ValueError) as error:
        raise Refusal.unauthenticated(f"the signature cannot be checked: {type(error).__name__}") from error
    if not valid:
        raise Refusal.unauthenticated("the signature is wrong")


def _check_claims(claims: dict[str, Any], issuer: Issuer, now: int) -> float:
    subject = claims.get("sub")
    if issuer.svid and not (isinstance(subject, str) and subject.startswith(issuer.issuer + "/")):
        raise Refusal.unauthenticated("sub is no SPIFFE id of the trust domain")
    rules = JWTClaimsRegistry(
        now=now,
        leeway=issuer.leeway,
        iss={"essential": not issuer.svid, **({} if issuer.svid else {"value": issuer.issuer})},
        aud={"essential": True, "values": list(issuer.audiences)},
        exp={"essential": True},
    )
    try:
        rules.validate(claims)
    except JoseError as error:
        raise Refusal.unauthenticated(f"the token is not acceptable: {error}") from error
    if claims["exp"] > _LAST_DATE:
        raise Refusal.unauthenticated("exp is not a date")
    return float(claims["exp"] + issuer.leeway)


def _read_claims(payload: bytes) -> dict[str, Any]:
    # Two readers: the second sees what the first cannot, a name that occurs twice (RFC 7519 section 4);
    # the first refuses what the second lets pass: NaN, infinity, half surrogates.
    claims = msgspec.json.decode(payload, type=dict[str, Any])
    json.loads(payload, object_pairs_hook=_unique)
    return claims


def _unique(members: list[tuple[str, Any]]) -> dict[str, Any]:
    unique = dict(members)
    if len(unique) != len(members):
        raise ValueError("a name occurs twice")
    return unique
