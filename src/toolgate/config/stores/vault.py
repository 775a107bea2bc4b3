"""`${vault:path#key}`: HashiCorp Vault and OpenBao, key-value engine version 2, over their HTTP API.

Blocking, as all reading of a config is; every request has a deadline and a bound.
"""

import http.client
import json
import re
import ssl
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from msgspec import Struct

from toolgate.config.stores.store import NotFound, text_of

SECONDS = 5.0
"""For each step of one request: a config is not read for longer than its author can wait."""

MAX_ANSWER = 1024 * 1024

_NAME = re.compile(r"[A-Za-z0-9_.@:/-]+#[^#\s]+")


class VaultAccess(Struct, frozen=True):
    """Where a Vault is and how the gateway signs in."""

    address: str
    mount: str
    namespace: str | None
    ca: Path | None
    token: str | None
    """A token; else `login` gets one for this read."""
    login: tuple[str, Mapping[str, str]] | None
    """Path of an auth method's login, and what is sent there."""

    def __repr__(self) -> str:
        return f"VaultAccess({self.address})"


class Vault:
    """Meets `Store`. One object serves one reading of a config: each path is asked for once."""

    files: tuple[Path, ...] = ()

    def __init__(self, access: VaultAccess) -> None:
        self._access = access
        self._token: str | None = None
        self._known: dict[str, Mapping[str, Any]] = {}

    def read(self, name: str) -> str:
        """See `Store.read`."""
        if not _NAME.fullmatch(name) or ".." in name.split("#")[0].split("/"):
            raise NotFound("'${vault:' is not followed by path#key.")
        path, _, key = name.partition("#")
        if path not in self._known:
            self._known[path] = self._data(path)
        value = self._known[path].get(key)
        if not isinstance(value, str):
            raise NotFound(f"the secret {path!a} of the vault has no text under {key!a}.")
        return text_of(value.encode(), f"{key!a} of the vault's secret {path!a}")

    def close(self) -> None:
        """Done: a token of our own login is given back; one from the config is prolonged if it can be."""
        if self._token is None:
            return
        kept = self._access.token is not None
        # Not every token may be prolonged or revoked, and one that is not dies by itself: no fault of the config.
        with suppress(NotFound):
            self._ask("POST", f"auth/token/{'renew' if kept else 'revoke'}-self", {}, token=self._token)
        self._token = None

    def _data(self, path: str) -> Mapping[str, Any]:
        if self._token is None:
            self._token = self._access.token or self._login()
        where = f"{quote(self._access.mount)}/data/{quote(path)}"
        status, answer = self._ask("GET", where, None, token=self._token)
        match status, answer:
            case 200, {"data": {"data": dict(data)}}:
                return data
            case 404, _:
                raise NotFound(
                    f"the vault has no secret {path!a}.", f"Looked in '{self._access.mount}', KV version 2."
                )
            case 403, _:
                raise NotFound(f"the vault does not let the gateway read {path!a}.")
        raise NotFound(f"the vault answered {status} for {path!a}.")

    def _login(self) -> str:
        assert self._access.login is not None
        path, body = self._access.login
        status, answer = self._ask("POST", f"auth/{quote(path)}/login", body, token=None)
        match status, answer:
            case 200, {"auth": {"client_token": str(token)}} if re.fullmatch(r"[\x21-\x7e]+", token):
                return token
        raise NotFound(f"the vault answered {status} to the gateway's login.")

    def _ask(self, method: str, path: str, body: Any, *, token: str | None) -> tuple[int, Any]:
        headers = {"X-Vault-Request": "true", "Accept": "application/json"}
        if token is not None:
            headers["X-Vault-Token"] = token
        if self._access.namespace is not None:
            headers["X-Vault-Namespace"] = self._access.namespace
        text = None if body is None else json.dumps(body).encode()
        connection = self._connection()
        try:
            connection.request(method, f"{urlsplit(self._access.address).path}/v1/{path}", text, headers)
            answer = connection.getresponse()
            content = answer.read(MAX_ANSWER + 1)
        except (OSError, http.client.HTTPException) as error:
            # Without the error's own text: http.client quotes headers that it finds wrong.
            raise NotFound(f"the vault cannot be reached: {type(error).__name__}.") from None
        finally:
            connection.close()
        if len(content) > MAX_ANSWER:
            raise NotFound("the vault's answer is too large.")
        try:
            return answer.status, json.loads(content) if content else None
        except (ValueError, RecursionError):
            return answer.status, None

    def _connection(self) -> http.client.HTTPConnection:
        parts = urlsplit(self._access.address)
        assert parts.hostname is not None
        if parts.scheme == "http":
            return http.client.HTTPConnection(parts.hostname, parts.port, timeout=SECONDS)
        trust = ssl.create_default_context(cafile=self._access.ca)
        return http.client.HTTPSConnection(parts.hostname, parts.port, timeout=SECONDS, context=trust)
