"""What a config makes of a token or key, without running the gateway. Says what it reads, never the token."""

from base64 import urlsafe_b64decode
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from toolgate.compiler import build, new_kit
from toolgate.config.load import load
from toolgate.config.schema_identity import Identity
from toolgate.errors import Refusal
from toolgate.identity.api_key import PREFIX
from toolgate.model import Call, Principal
from toolgate.protocol import versions
from toolgate.upstreams.http_client import HttpClient

_SHOWN = ("agent", "user", "tenant", "actors", "roles", "scopes", "tags")
_DATES = ("exp", "nbf", "iat")


class Seen(Struct):
    """The answer."""

    principal: Principal | None
    refused: str | None
    """Why; the record would say the same."""
    says: dict[str, Any]
    """What a JWT says of itself, whether it is true or not."""
    hints: list[str]

    def as_dict(self) -> dict[str, Any]:
        """For programs."""
        found: dict[str, Any] = {
            "accepted": self.refused is None,
            "refused": self.refused,
            "hints": self.hints,
        }
        if self.principal is not None:
            found["principal"] = {
                name: getattr(self.principal, name) for name in ("id", "method", *_SHOWN, "expires")
            }
        return {**found, "says": self.says}

    def lines(self) -> Iterator[str]:
        """For people."""
        yield "accepted" if self.refused is None else f"refused: {self.refused}"
        if self.principal is not None:
            yield f"  {'known by':10} {self.principal.method}"
            for name in _SHOWN:
                value = getattr(self.principal, name)
                if value:
                    yield f"  {name:10} {' '.join(value) if isinstance(value, tuple) else value}"
            if self.principal.expires is not None:
                yield f"  {'expires':10} {_date(self.principal.expires)}"
        if self.refused is not None and self.says:
            yield "what it says, unverified:"
            for name, value in self.says.items():
                dated = _date(value) if name in _DATES and isinstance(value, int | float) else value
                yield f"  {name:10} {dated if isinstance(dated, str) else msgspec.json.encode(dated).decode()}"
        yield from self.hints


async def who(path: Path, token: str, now: float) -> Seen:
    """What the gateway of this config makes of a token or key. Raises `ConfigError`."""
    loaded = load(path)
    http = HttpClient(max_connections=4)
    kit = new_kit(http, loaded.value.public_url or "")
    built = await build(loaded, kit)
    says = {} if token.startswith(PREFIX) else _says(token)
    try:
        principal = await built.snapshot.identify(_call(token, says))
        return Seen(principal, None, says, [])
    except Refusal as refusal:
        return Seen(None, refusal.reason, says, list(_hints(says, loaded.value.identity, now)))
    finally:
        await built.release()
        await http.aclose()


def _call(token: str, says: dict[str, Any]) -> Call:
    confirmation = says.get("cnf")
    scheme = "DPoP" if isinstance(confirmation, dict) and "jkt" in confirmation else "Bearer"
    return Call(versions.MODERN, "", "ping", b"", {}, authorization=f"{scheme} {token}")


def _says(token: str) -> dict[str, Any]:
    """Header and claims of a JWT; nothing of anything else."""
    try:
        header, claims = (
            msgspec.json.decode(urlsafe_b64decode(part + "=="), type=dict[str, Any])
            for part in token.split(".")[:2]
        )
    except (ValueError, RecursionError):
        return {}
    return {**{name: header[name] for name in ("alg", "typ", "kid") if name in header}, **claims}


def _hints(says: dict[str, Any], identity: Identity, now: float) -> Iterator[str]:
    """What differs from what this config accepts."""
    if not says:
        return
    issuers = {issuer.issuer: issuer for issuer in identity.issuers}
    issuer = issuers.get(says["iss"]) if isinstance(says.get("iss"), str) else None
    if issuer is None:
        yield f"accepted issuers: {', '.join(issuers) or 'none'}"
        return
    audience = says.get("aud")
    audiences = [audience] if isinstance(audience, str) else audience if isinstance(audience, list) else []
    if not set(issuer.audience) & {one for one in audiences if isinstance(one, str)}:
        yield f"accepted audiences: {', '.join(issuer.audience)}"
    if says.get("alg") not in issuer.algorithms:
        yield f"accepted algorithms: {', '.join(issuer.algorithms)}"
    expires = says.get("exp")
    if isinstance(expires, int | float) and expires + issuer.leeway <= now:
        yield f"it ended {int(now - expires)} seconds ago"
    if "cnf" in says:
        yield "it is bound: only a request with the proof or certificate can use it, which this command has not"


def _date(value: float) -> str:
    try:
        return datetime.fromtimestamp(value, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (ValueError, OverflowError, OSError):
        return str(value)
