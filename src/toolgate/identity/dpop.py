"""Proofs that a token is shown by whoever it was issued to (DPoP, RFC 9449). Knows no principal.

A proof counts once: what was seen is remembered for as long as a proof may be old, in this process.
"""

from base64 import urlsafe_b64encode
from collections import OrderedDict
from hashlib import sha256
from hmac import compare_digest
from typing import Any
from urllib.parse import urlsplit

from toolgate.errors import Refusal
from toolgate.identity import signed_token
from toolgate.identity.jwks import ALGORITHMS, read_key
from toolgate.model import Shown
from toolgate.ports import Clock

MAX_AGE = 60
"""Seconds a proof may be old. Longer costs memory and gives a thief time."""

AHEAD = 10
"""Seconds a client's clock may be ahead of ours."""

MAX_PROOF = 4096
CAPACITY = 200_000
"""Proofs remembered; past this calls with proofs are refused, as one could be a replay."""

_PORTS = {"http": 80, "https": 443}
_PRIVATE = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})


class Replays:
    """Which proofs were seen. Outlives every config."""

    def __init__(self, clock: Clock, capacity: int = CAPACITY) -> None:
        self._clock = clock
        self._capacity = capacity
        self._began = clock()
        self._seen: OrderedDict[bytes, float] = OrderedDict()

    def note(self, proof: bytes, issued: float) -> None:
        """Raises `Refusal` for a proof that was seen, or that may have been before this process began."""
        now = self._clock()
        while self._seen and next(iter(self._seen.values())) <= now:
            self._seen.popitem(last=False)
        if proof in self._seen:
            raise _wrong("it was used before")
        if issued < self._began - AHEAD:
            raise _wrong("it is older than this gateway's memory")
        if len(self._seen) >= self._capacity:
            raise _wrong("too many are remembered to tell whether it was used before")
        # From now, not from its own time: in this order the oldest is always the first to go.
        self._seen[proof] = now + MAX_AGE + AHEAD


class Dpop:
    """Checks proofs for this gateway's addresses."""

    def __init__(self, replays: Replays, clock: Clock, public: str | None) -> None:
        """`public` is what clients see before the path; else scheme and `Host` of the request are taken."""
        self._replays = replays
        self._clock = clock
        self._public = public

    def check(self, shown: Shown | None, token: str, thumbprint: str) -> None:
        """The proof that the request shows is for it, for this token, by the key of this thumbprint.

        Raises `Refusal` (401).
        """
        if shown is None or shown.dpop is None:
            raise _wrong("there is none, and the token is bound to a key")
        if len(shown.dpop) > MAX_PROOF or not shown.dpop.isascii():
            raise _wrong("it is too large")
        proof = signed_token.read(shown.dpop)
        self._check_key(proof, thumbprint)
        self._check_claims(proof.claims, shown, token)
        identity = sha256(f"{thumbprint} {proof.claims['jti']}".encode()).digest()
        self._replays.note(identity, proof.claims["iat"])

    def _check_key(self, proof: signed_token.SignedToken, thumbprint: str) -> None:
        header = proof.header
        if header.get("typ") != "dpop+jwt" or "crit" in header or "b64" in header:
            raise _wrong("it is no proof by its typ")
        jwk = header.get("jwk")
        if header.get("alg") not in (*ALGORITHMS, "Ed25519") or not isinstance(jwk, dict):
            raise _wrong("its header has no public key, or an algorithm that is not accepted")
        if _PRIVATE & jwk.keys():
            raise _wrong("its header has more than a public key")
        read = read_key({name: value for name, value in jwk.items() if name not in ("use", "key_ops", "kid")})
        if read is None or read[1] != header["alg"].replace("Ed25519", "EdDSA"):
            raise _wrong("its key is none for its algorithm")
        key = read[2]
        if not compare_digest(key.thumbprint(), thumbprint):
            raise _wrong("it is made with another key than the token is bound to")
        signed_token.check_signature(proof.signature, key)

    def _check_claims(self, claims: dict[str, Any], shown: Shown, token: str) -> None:
        issued, jti = claims.get("iat"), claims.get("jti")
        if not isinstance(issued, int | float) or isinstance(issued, bool):
            raise _wrong("iat is no date")
        if not -AHEAD <= self._clock() - issued <= MAX_AGE:
            raise _wrong("it is too old, or of the future")
        if not isinstance(jti, str) or not jti:
            raise _wrong("it has no jti")
        if claims.get("htm") != shown.method:
            raise _wrong("it is for another method")
        if not self._is_here(claims.get("htu"), shown):
            raise _wrong("it is for another address")
        if claims.get("ath") != urlsafe_b64encode(sha256(token.encode()).digest()).rstrip(b"=").decode():
            raise _wrong("it is for another token")

    def _is_here(self, htu: object, shown: Shown) -> bool:
        here = f"{self._public or shown.origin}{shown.path}"
        return isinstance(htu, str) and (htu == here or _normal(htu) == _normal(here))


def _normal(url: str) -> tuple[str, str, int | None, str] | None:
    """What two spellings of an address have in common (RFC 9449, 4.3), without query and fragment."""
    try:
        parts = urlsplit(url)
        port = parts.port or _PORTS.get(parts.scheme)
    except ValueError:
        return None
    return None if parts.username else (parts.scheme, parts.hostname or "", port, parts.path or "/")


def _wrong(what: str) -> Refusal:
    return Refusal.unauthenticated(f"DPoP proof: {what}")
