"""Pages beside the doors: OAuth protected-resource metadata (RFC 9728), health, readiness. No secrets.

Answers are made of what the snapshot says; nothing here waits.
"""

from collections.abc import Callable
from typing import Any

import orjson

WELL_KNOWN = "/.well-known/oauth-protected-resource"

Answer = tuple[int, tuple[tuple[bytes, bytes], ...], bytes]
_HEADERS = ((b"content-type", b"application/json"), (b"cache-control", b"no-store"))


class Pages:
    """Finds the page of a path."""

    def __init__(
        self,
        *,
        resource: str,
        issuers: tuple[str, ...],
        is_door: Callable[[str], bool],
        ready: Callable[[], dict[str, Any]],
    ) -> None:
        """`resource` is the public URL without path. `ready` says which part is not ready."""
        self._resource = resource
        self._issuers = issuers
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
        if not self._issuers or not self._is_door(path):
            return None
        metadata = {
            "resource": self._resource + path,
            "authorization_servers": list(self._issuers),
            "bearer_methods_supported": ["header"],
            "resource_name": "Toolgate",
        }
        return 200, _HEADERS, orjson.dumps(metadata)

    def challenge(self, path: str) -> tuple[tuple[bytes, bytes], ...]:
        """The `WWW-Authenticate` header of a 401 (RFC 9728, section 5.1)."""
        if not self._issuers:
            return ((b"www-authenticate", b"Bearer"),)
        url = f"{self._resource}{WELL_KNOWN}{path}"
        return ((b"www-authenticate", f'Bearer resource_metadata="{url}"'.encode()),)
