"""How the gateway proves to an authorization server that it is its client. No I/O."""

import secrets
import time
from base64 import b64encode
from typing import Protocol
from urllib.parse import quote_plus

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from joserfc import jwt
from joserfc.jwk import ECKey, OKPKey, RSAKey

from toolgate.ports import Clock

ASSERTION_SECONDS = 60
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


class Prove(Protocol):
    """How a client proves to an endpoint who it is."""

    def prove(self, form: dict[str, str], url: str) -> tuple[tuple[bytes, bytes], ...]:
        """Puts what belongs there into the form; the headers to send with it."""
        ...


class SecretInHeader:
    """`client_secret_basic` (RFC 6749, 2.3.1)."""

    def __init__(self, client_id: str, secret: str) -> None:
        # Both parts are form-encoded first; a colon or an umlaut would be read differently otherwise.
        pair = f"{quote_plus(client_id)}:{quote_plus(secret)}"
        self._headers = ((b"authorization", b"Basic " + b64encode(pair.encode())),)

    def prove(self, form: dict[str, str], url: str) -> tuple[tuple[bytes, bytes], ...]:
        """See `Prove.prove`."""
        return self._headers


class SecretInBody:
    """`client_secret_post`, for servers that do not know the header."""

    def __init__(self, client_id: str, secret: str) -> None:
        self._fields = {"client_id": client_id, "client_secret": secret}

    def prove(self, form: dict[str, str], url: str) -> tuple[tuple[bytes, bytes], ...]:
        """See `Prove.prove`."""
        form.update(self._fields)
        return ()


class SignedAssertion:
    """`private_key_jwt` (RFC 7523, 2.2): a fresh assertion for every request."""

    def __init__(self, client_id: str, pem: str, key_id: str | None, clock: Clock = time.time) -> None:
        """`pem`: an RSA, P-256 or Ed25519 key. Raises `ValueError` for any other."""
        self._client_id = client_id
        self._clock = clock
        algorithm, self._key = _read(pem)
        self._header = {"alg": algorithm, **({} if key_id is None else {"kid": key_id})}

    def prove(self, form: dict[str, str], url: str) -> tuple[tuple[bytes, bytes], ...]:
        """See `Prove.prove`."""
        now = int(self._clock())
        claims = {
            "iss": self._client_id,
            "sub": self._client_id,
            "aud": url,
            "jti": secrets.token_urlsafe(16),
            "iat": now,
            "exp": now + ASSERTION_SECONDS,
        }
        form["client_id"] = self._client_id
        form["client_assertion_type"] = ASSERTION_TYPE
        form["client_assertion"] = jwt.encode(self._header, claims, self._key, [self._header["alg"]])
        return ()


def _read(pem: str) -> tuple[str, RSAKey | ECKey | OKPKey]:
    match load_pem_private_key(pem.encode(), password=None):
        case rsa.RSAPrivateKey():
            return "RS256", RSAKey.import_key(pem)
        case ec.EllipticCurvePrivateKey():
            return "ES256", ECKey.import_key(pem)
        case ed25519.Ed25519PrivateKey():
            return "Ed25519", OKPKey.import_key(pem)
    raise ValueError("this kind of key signs no assertions")
