"""Issuers, calls, a clock and a metadata server for the identity tests. PyJWT signs, not our own code."""

import asyncio
import base64
import json
from typing import Any

import aiohttp
import jwt as pyjwt
from aiohttp import web
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from toolgate.identity.jwks import KeySet
from toolgate.model import Call
from toolgate.ports import HttpError

NOW = 1_800_000_000
ISSUER = "https://login.example.com"
AUDIENCE = "https://tools.example.com/mcp"


class Hand:
    """A clock the test moves."""

    def __init__(self, now: float = NOW) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


class Signer:
    """One private key of an issuer."""

    def __init__(self, alg: str, kid: str | None = "k1") -> None:
        self.alg = alg
        self.kid = kid
        self.key, self.exporter = _KINDS[alg]()

    def jwk(self, **members: Any) -> dict[str, Any]:
        """The public key as its issuer publishes it."""
        jwk = self.exporter.to_jwk(self.key.public_key(), as_dict=True)
        jwk.pop("key_ops", None)
        return {**jwk, **({"kid": self.kid} if self.kid else {}), **members}

    def token(self, claims: dict[str, Any] | bytes | None = None, /, **header: Any) -> str:
        """A token; `claims` replace or add to good ones, or are the payload as bytes."""
        payload = (
            claims if isinstance(claims, bytes) else json.dumps({**good_claims(), **(claims or {})}).encode()
        )
        headers = {"typ": "at+jwt", **({"kid": self.kid} if self.kid else {}), **header}
        headers = {name: value for name, value in headers.items() if value is not None}
        return pyjwt.PyJWS().encode(payload, self.key, self.alg, headers=headers)

    def forge(self, header: Any, payload: bytes) -> str:
        """A token signed (RS256) as it stands, for headers that no library would write."""
        signed = f"{b64(json.dumps(header).encode())}.{b64(payload)}"
        return f"{signed}.{b64(self.key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256()))}"


_KINDS: dict[str, Any] = {
    "RS256": lambda: (rsa.generate_private_key(public_exponent=65537, key_size=2048), RSAAlgorithm),
    "ES256": lambda: (ec.generate_private_key(ec.SECP256R1()), ECAlgorithm),
    "EdDSA": lambda: (ed25519.Ed25519PrivateKey.generate(), OKPAlgorithm),
}


def b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def good_claims() -> dict[str, Any]:
    return {"iss": ISSUER, "sub": "alice", "aud": AUDIENCE, "exp": NOW + 600, "iat": NOW, "azp": "report-bot"}


def key_set(*jwks: dict[str, Any]) -> bytes:
    return json.dumps({"keys": list(jwks)}).encode()


def call(authorization: str | None = None, api_key: str | None = None, client_ip: str = "192.0.2.1") -> Call:
    return Call(
        revision="2026-07-28",
        door="",
        method="tools/list",
        body=b"{}",
        params={},
        id=b"1",
        authorization=authorization,
        api_key=api_key,
        client_ip=client_ip,
    )


def bearer(token: str) -> Call:
    return call(f"Bearer {token}")


class FixedKeys:
    """Meets `Keys` with a set that never changes, and counts who asks."""

    def __init__(self, *signers: Signer) -> None:
        self.set = KeySet.read(key_set(*(signer.jwk() for signer in signers)))
        self.asked = 0

    async def find(self, kid: str | None, alg: str) -> Any:
        self.asked += 1
        return self.set.pick(kid, alg)

    async def aclose(self) -> None:
        """Nothing is open."""


class Site:
    """A real HTTP server on loopback: documents by path, a log of requests, and a gate to hold answers."""

    def __init__(self) -> None:
        self.documents: dict[str, tuple[int, bytes]] = {}
        self.requests: list[str] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.arrived = asyncio.Event()

    async def start(self) -> None:
        server = web.Application()
        server.router.add_get("/{path:.*}", self._answer)
        self.runner = web.AppRunner(server, shutdown_timeout=0.1)
        await self.runner.setup()
        site = web.TCPSite(self.runner, "127.0.0.1", 0)
        await site.start()
        port = self.runner.addresses[0][1]
        self.url = f"http://127.0.0.1:{port}"

    async def stop(self) -> None:
        self.gate.set()
        await self.runner.cleanup()

    def serve(self, path: str, body: bytes, status: int = 200) -> str:
        self.documents[path] = (status, body)
        return self.url + path

    async def _answer(self, request: web.Request) -> web.Response:
        self.requests.append(request.path)
        self.arrived.set()
        await self.gate.wait()
        status, body = self.documents.get(request.path, (404, b"nothing here"))
        return web.Response(status=status, body=body)


class PlainResponse:
    """Meets `ports.HttpResponse` as far as a whole body goes."""

    def __init__(self, inner: aiohttp.ClientResponse) -> None:
        self.inner = inner
        self.status = inner.status
        self.complete = False
        self.headers: dict[bytes, bytes] = {}

    async def read(self, limit: int) -> bytes:
        body = b""
        async for part in self.inner.content.iter_any():
            body += part
            if len(body) > limit:
                raise HttpError("too_large", "the body is too large", sent=True)
        return body

    def close(self) -> None:
        self.inner.close()


class PlainHttp:
    """Meets `ports.Http` for GET, one connection per request."""

    async def request(
        self,
        method: str,
        url: str,
        headers: Any = (),
        body: bytes = b"",
        *,
        timeout: float,
        repeatable: bool = False,
    ) -> PlainResponse:
        fields = {name.decode(): value.decode() for name, value in headers}
        try:
            async with asyncio.timeout(timeout):
                inner = await self.session.request(method, url, headers=fields, allow_redirects=False)
        except aiohttp.ClientError as error:
            raise HttpError("connect", "no connection", sent=False) from error
        except TimeoutError as error:
            raise HttpError("timeout", "no answer in time", sent=True) from error
        return PlainResponse(inner)

    async def start(self) -> None:
        self.session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True))

    async def aclose(self) -> None:
        await self.session.close()
