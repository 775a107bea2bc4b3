"""A stateless client's words for a server with sessions, and that server's words back. No I/O.

Down: the envelope leaves `_meta`; capabilities and client go into the handshake instead, and answers to
questions to the call that asked. Up: results get `resultType`, lists and reads `ttlMs` and `cacheScope`;
-32002 becomes -32602, and codes that only 2026-07-28 may give become -32603.
"""

from collections.abc import Mapping
from typing import Any

import msgspec
import orjson
from msgspec import Raw, Struct

from toolgate.errors import INTERNAL_ERROR, INVALID_PARAMS, MISSING_CAPABILITY, Refusal
from toolgate.protocol import bridge, jsonrpc, modern, versions

LEVELS = ("debug", "info", "notice", "warning", "error", "critical", "alert", "emergency")
"""Of log messages, the most talkative first."""

RESOURCE_NOT_FOUND = -32002
"""What servers with sessions answer for an unknown resource (2025-11-25, server/resources)."""

_CLIENT_KEY = modern.META + "clientInfo"
_LEVEL_KEY = modern.META + "logLevel"
_KEPT_TO_ITSELF = (modern.VERSION_KEY, modern.CAPABILITIES_KEY, _CLIENT_KEY, _LEVEL_KEY)
_COMPLETE = Raw(b'"complete"')
_CACHEABLE = frozenset(
    {"prompts/list", "resources/list", "resources/read", "resources/templates/list", "tools/list"}
)
_NO_CACHE = {"ttlMs": Raw(b"0"), "cacheScope": Raw(b'"private"')}
_RESERVED = range(-32099, -32019)


class Request(Struct, frozen=True, eq=False):
    """A stateless client's request, taken apart."""

    message: bytes
    """As a server with sessions gets it."""
    capabilities: bytes
    """JSON of what the client can be asked for."""
    client: bytes
    """JSON of what the client says it is; empty where it does not."""
    level: int | None
    """Place in `LEVELS` of the least log message the client wants; None for no log."""


def request(message: bytes) -> Request:
    """Take a request apart. Raises `Refusal` (-32602) for a log level that does not exist."""
    parts = jsonrpc.fields(message)
    params = jsonrpc.fields(parts["params"])
    meta = jsonrpc.fields(params["_meta"])
    kept = {key: meta.pop(key) for key in _KEPT_TO_ITSELF if key in meta}
    if meta:
        params["_meta"] = Raw(jsonrpc.join(meta))
    else:
        del params["_meta"]
    parts["params"] = Raw(jsonrpc.join(params))
    return Request(
        message=jsonrpc.join(parts),
        capabilities=bytes(kept[modern.CAPABILITIES_KEY]),
        client=bytes(kept.get(_CLIENT_KEY, b"")),
        level=_level(kept.get(_LEVEL_KEY)),
    )


def _level(text: Raw | None) -> int | None:
    if text is None:
        return None
    name = jsonrpc.text(text)
    if name not in LEVELS:
        raise Refusal.invalid(f"{_LEVEL_KEY} is one of {', '.join(LEVELS)}.", code=INVALID_PARAMS)
    return LEVELS.index(name)


def passes(parts: dict[str, Raw], level: int | None) -> bool:
    """Whether a notification within a call is for a client that asked for this level of log (E47)."""
    method = jsonrpc.text(parts["method"])
    if method != "notifications/message":
        return method == "notifications/progress"
    name = jsonrpc.text(bridge.fields(parts.get("params", Raw(b"{}"))).get("level"))
    return level is not None and name in LEVELS and LEVELS.index(name) >= level


def set_level(number: int, level: int) -> bytes:
    """The request that makes a session's log as talkative as `level`."""
    params = orjson.dumps({"level": LEVELS[level]})
    return b'{"jsonrpc":"2.0","id":%d,"method":"logging/setLevel","params":%b}' % (number, params)


def response(parts: dict[str, Raw], method: str) -> bytes:
    """A server's response in the words of 2026-07-28. Raises `Refusal` where it is none."""
    if "result" in parts:
        result = bridge.fields(parts["result"])
        result["resultType"] = _COMPLETE
        if method in _CACHEABLE:
            result.update(_NO_CACHE)
        parts["result"] = Raw(jsonrpc.join(result))
    elif "error" in parts:
        parts["error"] = _error(parts["error"])
    else:
        raise bridge.lie("a response without result or error")
    return jsonrpc.join(parts)


def _error(error: Raw) -> Raw:
    code = jsonrpc.error_code(error)
    if code == RESOURCE_NOT_FOUND:
        code = INVALID_PARAMS
    elif code in _RESERVED:
        code = INTERNAL_ERROR
    else:
        return error
    parts = bridge.fields(error)
    parts["code"] = Raw(b"%d" % code)
    return Raw(jsonrpc.join(parts))


def discovered(initialized: bytes) -> bytes:
    """The DiscoverResult that says what an InitializeResult said. Raises `Refusal` where that is no object."""
    said = bridge.fields(initialized)
    kept = {key: said[key] for key in ("capabilities", "instructions") if key in said}
    parts = {
        "resultType": _COMPLETE,
        "supportedVersions": jsonrpc.raw(versions.SUPPORTED),
        "capabilities": Raw(b"{}"),
        **kept,
        **_NO_CACHE,
    }
    if "serverInfo" in said:
        parts["_meta"] = Raw(jsonrpc.join({modern.META + "serverInfo": said["serverInfo"]}))
    return jsonrpc.join(parts)


def undeclared(method: str, params: Raw, capabilities: Mapping[str, Any]) -> dict[str, Any] | None:
    """What the client would have had to declare to be asked this; None where it did (E67).

    Raises `Refusal` for a question that 2026-07-28 does not know.
    """
    asked = bridge.fields(params)
    if method == "roots/list":
        needed: dict[str, Any] = {"roots": {}}
    elif method == "sampling/createMessage":
        needed = {"sampling": {"tools": {}} if "tools" in asked else {}}
    elif method == "elicitation/create":
        needed = {"elicitation": {jsonrpc.text(asked.get("mode")) or "form": {}}}
    else:
        raise bridge.lie("a request that no client can answer")
    return None if _declares(capabilities, needed) else needed


def _declares(capabilities: Mapping[str, Any], needed: dict[str, Any]) -> bool:
    ((name, settings),) = needed.items()
    declared = capabilities.get(name)
    if not isinstance(declared, dict):
        return False
    if name == "elicitation" and not declared:
        declared = {"form": {}}  # An empty object means form mode only.
    return all(mode in declared for mode in settings)


def missing_capability(needed: dict[str, Any]) -> Refusal:
    """The server asks for what the client never offered (E67)."""
    refusal = Refusal.invalid(
        "This call needs a capability the client does not declare.", code=MISSING_CAPABILITY
    )
    refusal.data = {"requiredCapabilities": needed}
    return refusal


def declared(capabilities: bytes) -> dict[str, Any]:
    """The capabilities as an object; the client's message was read strictly before."""
    return dict(msgspec.json.decode(capabilities))
