"""Vault's KV version 2 and logins after the shapes its API documentation records. A fake: not run against Vault."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

ROOT = "hvs.planted-root-token"
LOGINS = {
    "/v1/auth/approle/login": {"role_id": "r-1", "secret_id": "planted-secret-id"},
    "/v1/auth/kubernetes/login": {"role": "toolgate", "jwt": "planted-pod-token"},
}


class FakeVault:
    """`data` by path; `asked` names every request."""

    def __init__(self) -> None:
        self.data: dict[str, dict[str, Any]] = {"bank/api": {"token": "planted-bank-token", "number": 5}}
        self.asked: list[str] = []
        self.tokens = {ROOT}
        self.sealed = False
        handler = type("Handler", (_Answers,), {"vault": self})
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.address = f"http://127.0.0.1:{self.server.server_address[1]}"

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def answer(self, method: str, path: str, token: str | None, body: Any) -> tuple[int, Any]:
        self.asked.append(f"{method} {path}")
        if self.sealed:
            return 503, {"errors": ["Vault is sealed"]}
        if path in LOGINS:
            if body != LOGINS[path]:
                return 400, {"errors": ["invalid role or secret ID"]}
            issued = f"hvs.planted-{len(self.asked)}"
            self.tokens.add(issued)
            return 200, {"auth": {"client_token": issued, "lease_duration": 60, "renewable": True}}
        if token not in self.tokens:
            return 403, {"errors": ["permission denied"]}
        if path == "/v1/auth/token/revoke-self":
            self.tokens.discard(token)
            return 204, None
        if path == "/v1/auth/token/renew-self":
            return 200, {"auth": {"client_token": token, "lease_duration": 3600}}
        data = self.data.get(path.removeprefix("/v1/secret/data/"))
        if data is None:
            return 404, {"errors": []}
        return 200, {"request_id": "x", "data": {"data": data, "metadata": {"version": 1}}, "warnings": None}


class _Answers(BaseHTTPRequestHandler):
    vault: FakeVault

    def do_GET(self) -> None:
        self._answer("GET")

    def do_POST(self) -> None:
        self._answer("POST")

    def _answer(self, method: str) -> None:
        body = self.rfile.read(int(self.headers["content-length"] or 0))
        token = self.headers["X-Vault-Token"]
        status, answer = self.vault.answer(method, self.path, token, json.loads(body) if body else None)
        text = b"" if answer is None else json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *args: Any) -> None:
        """Quiet."""
