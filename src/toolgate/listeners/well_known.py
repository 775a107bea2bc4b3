"""Pages beside the doors: OAuth protected-resource metadata (RFC 9728), health, readiness. No secrets.

Answers are made of what the snapshot says; nothing here waits.
"""

from collections.abc import Callable, Sequence
from typing import Any

import orjson
from msgspec import Struct

WELL_KNOWN = "/.well-known/oauth-protected-resource"

Answer = tuple[int, tuple[tuple[bytes, bytes], ...], bytes]
_HEADERS = ((b"content-type", b"application/json"), (b"cache-control", b"no-store"))


class Resource(Struct, frozen=True):
    """The gateway as an OAuth resource (RFC 9728), as the config in force has it."""

    issuers: tuple[str, ...] = ()
    scopes: tuple[str, ...] = ()
    """Scopes that some call demands."""
    certificate_bound: bool = False
    """Whether clients can show certificates, so that tokens bound to them are of use."""


class Pages:
    """Finds the page of a path."""

    def __init__(
        self,
        *,
        resource: str,
        described: Callable[[], Resource],
        is_door: Callable[[str], bool],
        ready: Callable[[], dict[str, Any]],
    ) -> None:
        """`resource` is the public URL without path, `described` what is known of it now. `ready` says which part
        is not ready."""
        self._resource = resource
        self._described = described
        self._is_door = is_door
        self._ready = ready

    def find(self, path: str) -> Answer | None:
        """The page, or None where the path is none of ours."""
        if path == "/healthz":
            return 200, _HEADERS, b'{"status":"ok"}'
        if path == "/readyz":
            state = self._ready()
            return (200 if state["ready"] else 503), _HEADERS, orjson.dumps(state)
        if path.startswith(WELL_KNOWN):
            return self._metadata(path[len(WELL_KNOWN) :] or "/mcp")
        return None

    def _metadata(self, path: str) -> Answer | None:
        described = self._described()
        if not described.issuers or not self._is_door(path):
            return None
        metadata: dict[str, Any] = {
            "resource": self._resource + path,
            "authorization_servers": list(described.issuers),
            "bearer_methods_supported": ["header"],
            "resource_name": "Toolgate",
            "dpop_signing_alg_values_supported": ["RS256", "ES256", "EdDSA"],
        }
        # An empty list of scopes breaks the sign-in of some clients.
        if described.scopes:
            metadata["scopes_supported"] = list(described.scopes)
        if described.certificate_bound:
            metadata["tls_client_certificate_bound_access_tokens"] = True
        return 200, _HEADERS, orjson.dumps(metadata)

    def challenge(
        self, path: str, *, error: str | None = None, scopes: Sequence[str] = ()
    ) -> tuple[tuple[bytes, bytes], ...]:
        """The `WWW-Authenticate` header of a 401 or 403 (RFC 9728, section 5.1; RFC 6750, section 3)."""
        parts = [] if error is None else [f'error="{error}"']
        if scopes:
            parts.append(f'scope="{" ".join(scopes)}"')
        if self._described().issuers:
            parts.append(f'resource_metadata="{self._resource}{WELL_KNOWN}{path}"')
        return ((b"www-authenticate", " ".join(("Bearer", ", ".join(parts))).strip().encode()),)
