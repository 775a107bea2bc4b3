"""An authorization server for tests, and servers that demand its tokens. A fake: it grants what RFC 6749, 7523
and 8693 describe and checks what a strict product would; the named targets run against real products."""

import base64
import json
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote_plus

import jwt as pyjwt
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from gateway_support import Bank, Running, free_port
from jwt.algorithms import ECAlgorithm

SECRET = "s3cr3t:with/odd+signs%"
EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
BEARER_JWT = "urn:ietf:params:oauth:grant-type:jwt-bearer"


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128  # With 5, a crowd's connections are dropped and tried again after seconds.


class FakeProvider:
    """Issuer of users' tokens, and token endpoint for the gateway."""

    def __init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.client_key = ec.generate_private_key(ec.SECP256R1())
        self.forms: list[dict[str, str]] = []
        self.lifetime = 300
        self.broken = False
        self.server = serve(type("Handler", (_Endpoint,), {"provider": self}))
        self.issuer = f"http://127.0.0.1:{self.server.server_address[1]}"

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def client_pem(self) -> str:
        return self.client_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()

    def jwks(self) -> dict[str, Any]:
        return {"keys": [{**ECAlgorithm.to_jwk(self.key.public_key(), as_dict=True), "kid": "p1"}]}

    def jwks_text(self) -> str:
        """Its public keys as a file: tests of other things need not wait for it to be asked."""
        return json.dumps(self.jwks())

    def token(self, **claims: Any) -> str:
        now = int(time.time())
        claims = {"iss": self.issuer, "iat": now, "exp": now + self.lifetime, **claims}
        return pyjwt.encode(claims, self.key, "ES256", headers={"kid": "p1", "typ": "at+jwt"})

    def read(self, token: str) -> dict[str, Any]:
        return pyjwt.decode(token, self.key.public_key(), ["ES256"], options={"verify_aud": False})

    def grant(self, form: dict[str, str], authorization: str | None) -> tuple[int, dict[str, Any]]:
        client = self._client(form, authorization)
        if client is None:
            return 401, {"error": "invalid_client", "error_description": f"not {SECRET}"}
        kind, audience = form.get("grant_type"), form.get("resource") or form.get("audience")
        if kind == "client_credentials":
            claims = {"sub": client, "client_id": client, "aud": audience or self.issuer}
        elif kind in (EXCHANGE, BEARER_JWT):
            try:
                subject = self.read(form["subject_token"] if kind == EXCHANGE else form["assertion"])
            except pyjwt.PyJWTError:
                return 400, {"error": "invalid_grant"}
            if subject["sub"] == "mallory":
                return 400, {"error": "invalid_target"}
            claims = {"sub": subject["sub"], "client_id": client, "aud": audience}
            if "actor_token" in form:
                claims["act"] = {"sub": self.read(form["actor_token"])["sub"]}
        else:
            return 400, {"error": "unsupported_grant_type"}
        return 200, {
            "access_token": self.token(**claims),
            "token_type": "Bearer",
            "expires_in": self.lifetime,
            "issued_token_type": "urn:ietf:params:oauth:token-type:access_token",
        }

    def _client(self, form: dict[str, str], authorization: str | None) -> str | None:
        if authorization is not None:
            name, _, secret = base64.b64decode(authorization.removeprefix("Basic ")).decode().partition(":")
            return unquote_plus(name) if unquote_plus(secret) == SECRET else None
        if "client_assertion" in form:
            try:
                claims = pyjwt.decode(
                    form["client_assertion"],
                    self.client_key.public_key(),
                    ["ES256"],
                    audience=self.issuer + "/token",
                    options={"require": ["exp", "jti", "iss", "sub", "aud"]},
                )
            except pyjwt.PyJWTError:
                return None
            return str(claims["sub"])
        return form.get("client_id") if form.get("client_secret") == SECRET else None


class _Endpoint(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    provider: FakeProvider

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"])).decode()
        form = dict(parse_qsl(body, strict_parsing=True))
        self.provider.forms.append(form)
        if self.provider.broken:
            self._answer(503, {})
            return
        self._answer(*self.provider.grant(form, self.headers["authorization"]))

    def do_GET(self) -> None:
        self._answer(200, self.provider.jwks())

    def _answer(self, status: int, body: dict[str, Any]) -> None:
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *args: Any) -> None:
        """Quiet."""


class Guarded(Bank, BaseHTTPRequestHandler):
    """The bank, behind a check of the credential; what was shown is in `shown`."""

    shown: list[dict[str, str]]
    accepts: Any

    def do_POST(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.shown.append(headers)
        if self.accepts(headers):
            super().do_POST()
            return
        self.rfile.read(int(self.headers["content-length"]))
        self._answer(401, b"", {"www-authenticate": "Bearer"})


def serve_guarded(accepts: Any) -> tuple[ThreadingHTTPServer, list[dict[str, str]]]:
    """A server that demands what `accepts` says of the headers, and what it was shown."""
    shown: list[dict[str, str]] = []
    return serve(type("Handler", (Guarded,), {"shown": shown, "accepts": staticmethod(accepts)})), shown


def serve(handler: Any) -> ThreadingHTTPServer:
    """A server running in a thread."""
    server = _Server(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


class Configured(Running):
    """A gateway with a config of the test's own; `{port}` in it stands for the port it listens on."""

    def __init__(self, folder: Any, text: str, files: dict[str, str]) -> None:
        self.folder = folder
        self.port = free_port()
        for name, content in files.items():
            (folder / name).write_text(content)
        self.config = folder / "gateway.yaml"
        self.config.write_text(text.replace("{port}", str(self.port)))
        self.command = [sys.executable, "-m", "toolgate", "run", "-c", str(self.config)]
        self.start()

    def call(self, server: str, token: str | None, **arguments: Any) -> tuple[int, Any]:
        """One call of a tool with this credential."""
        params = {"name": "read_account", "arguments": arguments}
        status, _, answer = self.modern("tools/call", params, key=token, path=f"/servers/{server}/mcp")
        return status, answer
