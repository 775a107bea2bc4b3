"""Questions of servers to clients: what may be asked, how an answer looks, how `input_required` is written. No I/O.

https://modelcontextprotocol.io/specification/2026-07-28/basic/patterns/mrtr
"""

from collections.abc import Mapping
from typing import Any

from msgspec import Raw

from toolgate.errors import INVALID_PARAMS, MISSING_CAPABILITY, Refusal
from toolgate.protocol import bridge, jsonrpc

KINDS = {"elicitation/create": "elicitation", "roots/list": "roots", "sampling/createMessage": "sampling"}
"""What a server may ask, and the capability that lets it."""

URL_ELICITATION_REQUIRED = -32042
"""What servers with sessions answer where the user must visit a page before the call can be made (2025-11-25)."""


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


def entry(method: str, params: Raw) -> Raw:
    """A server's question as `inputRequests` has it."""
    parts = bridge.fields(params)
    parts.pop("elicitationId", None)
    if "_meta" in parts:
        meta = bridge.fields(parts.pop("_meta"))
        meta.pop("progressToken", None)
        if meta:
            parts["_meta"] = Raw(jsonrpc.join(meta))
    question = {"method": jsonrpc.raw(method)}
    if parts:
        question["params"] = Raw(jsonrpc.join(parts))
    return Raw(jsonrpc.join(question))


def check_answer(key: str, method: str, answer: Raw) -> None:
    """Raises `Refusal` (-32602) for what is no answer to such a question."""
    parts = object_of(answer, f"inputResponses.{key}")
    if method == "elicitation/create":
        good = jsonrpc.text(parts.get("action")) in ("accept", "decline", "cancel")
    elif method == "roots/list":
        good = bytes(parts.get("roots", b"")).startswith(b"[")
    else:
        good = "content" in parts and "role" in parts
    if not good:
        raise Refusal.invalid(f"inputResponses.{key} does not answer {method}.", code=INVALID_PARAMS)


def input_required(number: int, questions: Mapping[str, Raw], state: str | None) -> bytes:
    """The response that asks the client; without `state` the client begins the call anew."""
    result = {"resultType": Raw(b'"input_required"'), "inputRequests": Raw(jsonrpc.join(dict(questions)))}
    if state is not None:
        result["requestState"] = jsonrpc.raw(state)
    return jsonrpc.result_text(b"%d" % number, jsonrpc.join(result))


def pages_to_visit(parts: dict[str, Raw], capabilities: Mapping[str, Any]) -> dict[str, Raw] | None:
    """The questions in an error that wants the user to visit pages first (-32042); None for another response.

    Raises `Refusal` (-32021) where the client cannot be asked to.
    """
    if "error" not in parts or jsonrpc.error_code(parts["error"]) != URL_ELICITATION_REQUIRED:
        return None
    data = bridge.fields(bridge.fields(parts["error"]).get("data", Raw(b"{}")))
    pages = jsonrpc.items(data.get("elicitations", Raw(b"[]")))
    if not pages:
        raise bridge.lie("an error that names no page to visit")
    for page in pages:
        needed = undeclared("elicitation/create", page, capabilities)
        if needed is not None:
            raise missing_capability(needed)
    return {f"elicitation-{n}": entry("elicitation/create", page) for n, page in enumerate(pages)}


def object_of(value: Raw, what: str) -> dict[str, Raw]:
    """The fields of what a client sent as `what`. Raises `Refusal` (-32602)."""
    try:
        return jsonrpc.fields(value)
    except ValueError:
        raise Refusal.invalid(f"{what} is an object.", code=INVALID_PARAMS) from None
