"""Signed task tokens, minted and read by this process alone. Knows what a token says, not whether its task is open.

Shaped like a transaction token (draft-ietf-oauth-transaction-tokens): `typ` is `txntoken+jwt`, `txn` names the opened
task, `scope` its id, `tctx` what it is for, `req_wl` who opened it. The key lives as long as the process, as the
tasks do.
"""

import json
import secrets
from typing import Any

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

from toolgate.identity.task_register import OpenTask
from toolgate.ports import Clock

TYPE = "txntoken+jwt"
MAX_TOKEN = 4096


class TaskTokens:
    """Mints and reads."""

    def __init__(self, audience: str, clock: Clock) -> None:
        """`audience` is this gateway, which is the issuer as well."""
        self._audience = audience
        self._clock = clock
        self._key = OctKey.import_key(secrets.token_bytes(32))

    def mint(self, opened: OpenTask) -> str:
        """A token that ends with its task."""
        claims: dict[str, Any] = {
            "iss": self._audience,
            "aud": self._audience,
            "iat": int(self._clock()),
            "exp": int(opened.expires),
            "txn": opened.key,
            "sub": opened.user or opened.opener,
            "scope": opened.task.id,
            "tctx": {"task": opened.task.id, "purpose": opened.task.name},
            "req_wl": opened.opener,
        }
        if opened.agent is not None:
            claims["act"] = {"sub": opened.agent}
        return jws.serialize_compact({"alg": "HS256", "typ": TYPE}, json.dumps(claims), self._key)

    def read(self, token: str) -> str | None:
        """The key of the task that a token of ours is for; None for any other text, and for one that has ended."""
        if len(token) > MAX_TOKEN or not token.isascii():
            return None
        try:
            signed = jws.deserialize_compact(token, self._key, algorithms=["HS256"])
            claims = json.loads(signed.payload)
        except (JoseError, ValueError):
            return None
        if signed.headers().get("typ") != TYPE or claims["aud"] != self._audience:
            return None
        return str(claims["txn"]) if claims["exp"] > self._clock() else None
