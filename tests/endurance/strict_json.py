"""A second opinion on what the listener makes of a body: the standard library's parser, rung by rung.

The order is that of the SDKs, so that a client sees the same first error with and without the gateway.
"""

import json
import math
from typing import Any, NoReturn

MAX_DEPTH = 128
LEGACY = ("2025-03-26", "2025-06-18", "2025-11-25")
META = "io.modelcontextprotocol/"

Answer = tuple[int, int | None]
"""HTTP status, and code of the JSON-RPC error where there is one."""

ANSWERED: Answer = (200, None)
ACCEPTED: Answer = (202, None)


ECHOING = frozenset({None, -32601, -32602, -32020, -32022})
"""Codes of rungs at which the id is known."""


class Bad(ValueError):
    """The rung at which a body fails."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


def expected(body: bytes, version: str, method: str) -> set[Answer]:
    """What a POST with good headers but for `version` may be answered; `method` stands in `Mcp-Method`."""
    try:
        message = _read(body)
        if version in LEGACY:
            return _legacy(message, version)
        return _modern(message, version, method)
    except Bad as bad:
        return {(400, bad.code)}


def id_of(body: bytes) -> Any:
    """The id that an answer must carry; None where there is none to carry."""
    message = json.loads(body)
    ident = message.get("id") if isinstance(message, dict) and "method" in message else None
    return ident if isinstance(ident, str | int) and not isinstance(ident, bool) else None


def _read(body: bytes) -> Any:
    try:
        value = json.loads(body.decode(), parse_constant=_no_constant, parse_float=_finite)
        json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        raise Bad(-32700) from None
    if _depth(value) > MAX_DEPTH:
        raise Bad(-32700)
    json.loads(body, object_pairs_hook=_unique)
    return value


def _no_constant(text: str) -> NoReturn:
    raise ValueError(text)


def _finite(text: str) -> float:
    # 1e999 is JSON, but every parser on the way would make infinity of it.
    if math.isinf(value := float(text)):
        raise ValueError(text)
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({key for key, _ in pairs}) != len(pairs):
        raise Bad(-32600)
    return dict(pairs)


def _depth(value: Any) -> int:
    depth, level = 0, [value]
    while level := [one for one in level if isinstance(one, dict | list)]:
        depth += 1
        level = [child for one in level for child in (one.values() if isinstance(one, dict) else one)]
    return depth


def _modern(message: Any, version: str, method: str) -> set[Answer]:
    if isinstance(message, dict) and "id" not in message:
        return {ACCEPTED}
    _is_request(message)
    if not isinstance(message.get("method"), str):
        raise Bad(-32600)
    params = message.get("params")
    meta = params.get("_meta") if isinstance(params, dict) else None
    if not isinstance(meta, dict) or not isinstance(meta.get(META + "protocolVersion"), str):
        raise Bad(-32602)
    if not isinstance(meta.get(META + "clientCapabilities"), dict):
        raise Bad(-32602)
    if meta[META + "protocolVersion"] != version or message["method"] != method:
        raise Bad(-32020)
    if version != "2026-07-28":
        raise Bad(-32022)
    if params.get("cursor") is not None:
        raise Bad(-32602)
    return {ANSWERED}


def _legacy(message: Any, version: str) -> set[Answer]:
    if _claims_modern(message):
        _is_envelope(message)
        raise Bad(-32020)
    if isinstance(message, list):
        return _batch(message, version)
    _is_envelope(message)
    method, params = message.get("method", ""), message.get("params", {})
    if not isinstance(method, str) or not isinstance(params, dict):
        raise Bad(-32600)
    if not method and not ("result" in message or "error" in message):
        raise Bad(-32600)
    if not method or "id" not in message:
        return {ACCEPTED}
    if method != "tools/list":
        return {(200, -32601)}
    # Errors about params have no status of their own here: clients take those for a dead server.
    return {ANSWERED} if params.get("cursor") is None else {(400, -32602)}


def _batch(messages: list[Any], version: str) -> set[Answer]:
    if version != "2025-03-26" or not messages or not all(isinstance(one, dict) for one in messages):
        raise Bad(-32600)
    if any(one.get("method") == "initialize" for one in messages):
        raise Bad(-32600)
    # Each is answered for itself, right or wrong, unless it asks for nothing.
    return {ACCEPTED} if all(_asks_nothing(one) for one in messages) else {ANSWERED}


def _asks_nothing(message: Any) -> bool:
    try:
        return _legacy(message, "2025-03-26") == {ACCEPTED}
    except Bad:
        return False


def _claims_modern(message: Any) -> bool:
    params = message.get("params") if isinstance(message, dict) else None
    meta = params.get("_meta") if isinstance(params, dict) else None
    return isinstance(meta, dict) and META + "protocolVersion" in meta


def _is_request(message: Any) -> None:
    _is_envelope(message)
    if "method" not in message:
        raise Bad(-32600)


def _is_envelope(message: Any) -> None:
    if not isinstance(message, dict) or message.get("jsonrpc") != "2.0":
        raise Bad(-32600)
    if "id" in message and (isinstance(message["id"], bool) or not isinstance(message["id"], str | int)):
        raise Bad(-32600)
