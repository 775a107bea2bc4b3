"""A set of public keys (RFC 7517): what it offers and to whom. Does not know where it comes from."""

from base64 import urlsafe_b64decode
from collections.abc import Sequence
from typing import Any, Protocol

import msgspec
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, Key, OKPKey, RSAKey
from msgspec import Struct

from toolgate.errors import IDENTITY_UNAVAILABLE, Refusal

ALGORITHMS = ("RS256", "ES256", "EdDSA")
"""What a token may be signed with: asymmetric, and nothing a published key could forge."""

MAX_BYTES = 1 << 20
"""Size of a key set, at most."""

_MIN_RSA_BITS = 2048

_PUBLIC_MEMBERS = {"RSA": ("kty", "n", "e"), "EC": ("kty", "crv", "x", "y"), "OKP": ("kty", "crv", "x")}


class Keys(Protocol):
    """Where the public keys of one issuer are found."""

    async def find(self, kid: str | None, alg: str) -> Key | None:
        """The key, or None where the issuer has none of that name for that algorithm.

        Raises `Refusal` (503) where the keys cannot be had at the moment.
        """
        ...

    async def aclose(self) -> None:
        """Nothing goes on afterwards."""
        ...


class _Document(Struct):
    keys: list[dict[str, Any]]


class KeySet:
    """Keys by name and algorithm. Keys of other kinds or for other uses are passed over."""

    def __init__(self, keys: Sequence[tuple[str | None, str, Key]]) -> None:
        self._keys = tuple(keys)

    @classmethod
    def read(cls, text: bytes) -> "KeySet":
        """Raises `ValueError` where `text` is no key set. One broken key does not spoil the others."""
        try:
            document = msgspec.json.decode(text, type=_Document)
        except RecursionError as error:
            raise ValueError("nested too deeply") from error
        keys = (read_key(jwk) for jwk in document.keys)
        return cls([key for key in keys if key is not None])

    def pick(self, kid: str | None, alg: str) -> Key | None:
        """The one key of that name, or the one for `alg` if the token names none. Of two, neither."""
        fitting = [key for name, its_alg, key in self._keys if its_alg == alg and kid in (None, name)]
        return fitting[0] if len(fitting) == 1 else None


def unavailable(reason: str) -> Refusal:
    """The keys cannot be had: a 401 would make clients throw away a good token."""
    text = "Callers cannot be identified at the moment."
    return Refusal(
        "identity", "identity_unavailable", text, code=IDENTITY_UNAVAILABLE, status=503, reason=reason
    )


def read_key(jwk: dict[str, Any]) -> tuple[str | None, str, Key] | None:
    """Name, algorithm and key; None where it is no public key for signatures that are accepted."""
    alg = _algorithm(jwk)
    if alg is None:
        return None
    # Only the public members: a private key published by mistake is not held in memory.
    public = {name: jwk[name] for name in _PUBLIC_MEMBERS[jwk["kty"]] if name in jwk}
    try:
        return (jwk.get("kid"), alg, _import(public)) if _is_for_signatures(jwk) else None
    except (JoseError, ValueError, TypeError):
        return None


def _is_for_signatures(jwk: dict[str, Any]) -> bool:
    # SPIFFE names the use of keys for JWT-SVIDs in its own word (Trust Domain and Bundle, 4.2.2).
    return jwk.get("use", "sig") in ("sig", "jwt-svid") and "verify" in jwk.get("key_ops", ("verify",))


def _algorithm(jwk: dict[str, Any]) -> str | None:
    match jwk:
        case {"kty": "RSA"}:
            alg = "RS256"
        case {"kty": "EC", "crv": "P-256"}:
            alg = "ES256"
        case {"kty": "OKP", "crv": "Ed25519"}:
            alg = "EdDSA"
        case _:
            return None
    # RFC 9864 renames EdDSA with this curve to Ed25519; both are found in key sets.
    declared = jwk.get("alg", alg)
    return alg if declared == alg or (alg, declared) == ("EdDSA", "Ed25519") else None


def _import(public: dict[str, Any]) -> Key:
    if public["kty"] == "EC":
        return ECKey.import_key(public)
    if public["kty"] == "OKP":
        return OKPKey.import_key(public)
    modulus = int.from_bytes(urlsafe_b64decode(public.get("n", "") + "=="))
    if modulus.bit_length() < _MIN_RSA_BITS:
        raise ValueError("the RSA key is too short")
    return RSAKey.import_key(public)
