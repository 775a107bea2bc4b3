"""Which kind of protocol a server speaks, read from its answers to `server/discover` and `initialize`. No I/O.

| answer to `server/discover` | what it shows |
|---|---|
| a result that lists a stateless revision | stateless |
| -32022 | stateless where `supported` lists such a revision, else sessions |
| -32020, -32021 | stateless: only such servers know these codes |
| 404 with -32601 | nothing: a stateless server must know the method, so only `initialize` can tell |
| anything else | sessions |

Whoever refuses our credential (401, 403) or fails (5xx) shows nothing and is not read here (protocol 19.2).
"""

from enum import StrEnum
from typing import Any

import orjson

from toolgate import __version__
from toolgate.errors import (
    HEADER_MISMATCH,
    INVALID_REQUEST,
    METHOD_NOT_FOUND,
    MISSING_CAPABILITY,
    UNSUPPORTED_VERSION,
)
from toolgate.protocol import modern, versions

IDENTITY = {"name": "toolgate", "version": __version__}
"""What the gateway calls itself where it speaks for itself."""


class Evidence(StrEnum):
    """What one answer shows about its server."""

    STATELESS = "stateless"
    SESSIONS = "sessions"
    NOTHING = "nothing"


DISCOVER_HEADERS = (
    (b"mcp-protocol-version", versions.MODERN.encode()),
    (b"mcp-method", b"server/discover"),
)
"""Without them a server with sessions that keeps none might execute what it is asked (19.2)."""


def discover(id: object) -> bytes:
    """A `server/discover` of our own."""
    meta = {
        modern.VERSION_KEY: versions.MODERN,
        modern.CAPABILITIES_KEY: {},
        modern.META + "clientInfo": IDENTITY,
    }
    return _request(id, "server/discover", {"_meta": meta})


def initialize(id: object) -> bytes:
    """An `initialize` of our own, of which only the kind of answer matters."""
    params = {"protocolVersion": versions.LATEST_LEGACY, "capabilities": {}, "clientInfo": IDENTITY}
    return _request(id, "initialize", params)


def of_discover(status: int, message: bytes | None) -> Evidence:
    """What an answer to `server/discover` shows; `message` is None where it was no JSON."""
    answer = _object(message)
    result = answer.get("result")
    if isinstance(result, dict):
        return _by_list(result.get("supportedVersions"))
    code = _code(answer)
    if code == UNSUPPORTED_VERSION:
        data = answer["error"].get("data")
        return _by_list(data.get("supported") if isinstance(data, dict) else None)
    if code in (HEADER_MISMATCH, MISSING_CAPABILITY):
        return Evidence.STATELESS
    if code == METHOD_NOT_FOUND and status == 404:
        return Evidence.NOTHING
    return Evidence.SESSIONS


def of_initialize(message: bytes | None) -> Evidence:
    """What an answer to `initialize` shows: a result sessions, a code of 2026-07-28 the stateless kind."""
    answer = _object(message)
    if isinstance(answer.get("result"), dict):
        return Evidence.SESSIONS
    if _code(answer) in (HEADER_MISMATCH, MISSING_CAPABILITY, UNSUPPORTED_VERSION):
        return Evidence.STATELESS
    return Evidence.NOTHING


def of_refused_call(message: bytes | None) -> Evidence:
    """What a refused stateless call shows: the codes that servers with sessions give for want of one."""
    code = _code(_object(message))
    wants_session = code == INVALID_REQUEST or (code is not None and -32019 <= code <= -32000)
    return Evidence.SESSIONS if wants_session else Evidence.NOTHING


def misses_session(message: bytes) -> bool:
    """Whether a server with sessions refused a call because it knows the session no more."""
    return of_refused_call(message) is Evidence.SESSIONS and b"session" in message.lower()


def _request(id: object, method: str, params: dict[str, Any]) -> bytes:
    return orjson.dumps({"jsonrpc": "2.0", "id": id, "method": method, "params": params})


def _by_list(supported: object) -> Evidence:
    listed = isinstance(supported, list) and versions.MODERN in supported
    return Evidence.STATELESS if listed else Evidence.SESSIONS


def _object(message: bytes | None) -> dict[str, Any]:
    if message is None:
        return {}
    try:
        answer = orjson.loads(message)
    except orjson.JSONDecodeError:
        return {}
    return answer if isinstance(answer, dict) else {}


def _code(answer: dict[str, Any]) -> int | None:
    error = answer.get("error")
    code = error.get("code") if isinstance(error, dict) else None
    return code if isinstance(code, int) else None
