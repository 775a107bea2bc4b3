"""The stateless revision: headers and body in, `Call` or `Refusal` out, and how a refusal is written. No I/O.

The rungs below are the validation order of the SDKs, so that a client sees the same first error with and
without the gateway (https://modelcontextprotocol.io/specification/2026-07-28/basic/transports).
"""

from collections.abc import Mapping
from typing import Any

from toolgate.errors import INVALID_PARAMS, METHOD_NOT_FOUND, UNSUPPORTED_VERSION, Refusal
from toolgate.model import Call
from toolgate.protocol import methods, versions
from toolgate.protocol.headers import Headers, decode_value, mismatch
from toolgate.protocol.params import check

META = "io.modelcontextprotocol/"
VERSION_KEY = META + "protocolVersion"
CAPABILITIES_KEY = META + "clientCapabilities"
TASKS = META + "tasks"
"""The extension for tool calls that are answered later; tasks of 2025-11-25 are another thing."""


def read(headers: Headers, message: dict[str, Any], id: bytes, body: bytes, door: str) -> Call:
    """The call that a request of this revision makes.

    Raises `Refusal` at the first rung that fails: repeated header, incomplete `_meta`, header against body,
    version, method.
    """
    method = message.get("method")
    if not isinstance(method, str):
        raise Refusal.invalid("A request names a method.")
    if headers.repeated & {"version", "method", "name"} or _folded(headers):
        raise mismatch("A routing header stands twice.")
    params = _complete_params(message)
    revision = params["_meta"][VERSION_KEY]
    if headers.version != revision:
        raise mismatch("MCP-Protocol-Version differs from the body.")
    if headers.method != method:
        raise mismatch("Mcp-Method is missing or differs from the body.")
    known = methods.find(method, modern=True)
    name = _named(headers, params, known.name) if known and known.name else ""
    if not versions.is_modern(revision):
        raise _unsupported(revision)
    if known is None and not methods.passes(method, door):
        raise unknown_method(method)
    check(method, params)
    return Call(
        revision=revision,
        door=door,
        method=method,
        body=body,
        params=params,
        id=id,
        name=name,
        headers=headers.params,
    )


def _folded(headers: Headers) -> bool:
    # A proxy on the way may have joined two copies with a comma; no version and no method holds one.
    return "," in (headers.version or "") or "," in (headers.method or "")


def _complete_params(message: dict[str, Any]) -> dict[str, Any]:
    params = message.get("params")
    meta = params.get("_meta") if isinstance(params, dict) else None
    if not isinstance(params, dict) or not isinstance(meta, dict):
        raise Refusal.invalid("params._meta is required.", code=INVALID_PARAMS)
    if not isinstance(meta.get(VERSION_KEY), str) or not isinstance(meta.get(CAPABILITIES_KEY), dict):
        text = f"params._meta needs {VERSION_KEY} and {CAPABILITIES_KEY}."
        raise Refusal.invalid(text, code=INVALID_PARAMS)
    return params


def _named(headers: Headers, params: dict[str, Any], field: str) -> str:
    name = params.get(field)
    if not isinstance(name, str):
        raise Refusal.invalid(f"params.{field} is required.", code=INVALID_PARAMS)
    if headers.name is None or decode_value(headers.name) != name:
        raise mismatch("Mcp-Name is missing or differs from the body.")
    return name


def _unsupported(requested: str) -> Refusal:
    refusal = Refusal.invalid("Unsupported protocol version.", code=UNSUPPORTED_VERSION)
    refusal.data = {"supported": list(versions.SUPPORTED), "requested": requested}
    return refusal


def declares(params: Mapping[str, Any], extension: str) -> bool:
    """Whether the client of a request says that it knows an extension."""
    extensions = params["_meta"][CAPABILITIES_KEY].get("extensions")
    return isinstance(extensions, dict) and extension in extensions


def unknown_method(method: str) -> Refusal:
    """The method does not exist in this revision; `initialize` is told which versions do (19.1)."""
    text = f"Method not found: {method[:128]}."
    if method == "initialize":
        text += f" This endpoint speaks {', '.join((*versions.SUPPORTED, *reversed(versions.LEGACY)))}."
    return Refusal("protocol", "unknown_method", text, code=METHOD_NOT_FOUND, status=404)


def claims(message: Any) -> bool:
    """Whether a message says of itself that it is of a stateless revision."""
    params = message.get("params") if isinstance(message, dict) else None
    meta = params.get("_meta") if isinstance(params, dict) else None
    return isinstance(meta, dict) and VERSION_KEY in meta
