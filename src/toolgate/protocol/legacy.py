"""The revisions with sessions: headers and one message in, `Call` or `Refusal` out. No I/O."""

from typing import Any

from toolgate.errors import INVALID_PARAMS, METHOD_NOT_FOUND, Refusal
from toolgate.model import Call
from toolgate.protocol import methods, versions
from toolgate.protocol.headers import Headers
from toolgate.protocol.params import check

MAX_SESSION_TEXT = 4096


def read(
    headers: Headers,
    message: dict[str, Any],
    id: bytes | None,
    body: bytes,
    door: str,
) -> Call:
    """The call that one message makes: a request, a notification (`id` None) or a response (`method` "").

    Raises `Refusal`: an unusable session header or version, a request without its name, an unknown method.
    """
    method = message.get("method", "")
    params = message.get("params", {})
    if not isinstance(method, str) or not isinstance(params, dict):
        raise Refusal.invalid("method is a string and params an object.")
    if not method and not ("result" in message or "error" in message):
        raise Refusal.invalid("A message has a method, a result or an error.")
    call = Call(
        revision=_revision(headers, method),
        door=door,
        method=method,
        body=body,
        params=params,
        id=id,
        session_text=session_text(headers),
    )
    if method and id is not None:
        call.name = _name(method, params, door)
        check(method, params)
    return call


def _revision(headers: Headers, method: str) -> str:
    if headers.version is None or method == "initialize":
        return versions.UNSTATED
    if headers.version not in versions.LEGACY:
        raise Refusal.invalid("Unsupported protocol version.")
    return headers.version


def _name(method: str, params: dict[str, Any], door: str) -> str:
    known = methods.find(method, modern=False)
    if known is None and not methods.passes(method, door):
        raise unknown_method(method)
    if known is None or not known.name:
        return ""
    name = params.get(known.name)
    if not isinstance(name, str):
        raise Refusal.invalid(f"params.{known.name} is required.", code=INVALID_PARAMS)
    return name


def unknown_method(method: str) -> Refusal:
    """The method does not exist for clients with sessions."""
    text = f"Method not found: {method[:128]}."
    return Refusal("protocol", "unknown_method", text, code=METHOD_NOT_FOUND, status=200)


def session_text(headers: Headers) -> str | None:
    """The session id as sent. Raises `Refusal` (400) before any search for one that no gateway made (E87)."""
    text = headers.session
    if text is None:
        return None
    if "session" in headers.repeated or not text or len(text) > MAX_SESSION_TEXT:
        raise Refusal.invalid("Mcp-Session-Id is not usable.")
    if not all("!" <= character <= "~" for character in text):
        raise Refusal.invalid("Mcp-Session-Id is not usable.")
    return text


UNKNOWN_SESSION = "unknown_session"


def unknown_session() -> Refusal:
    """Unknown, expired, ended, foreign, undecodable: one answer, so that clients initialize again (A3)."""
    return Refusal("session", UNKNOWN_SESSION, "Session not found.", code=-32600, status=404)
