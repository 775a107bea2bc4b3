"""The HTTP headers MCP gives a meaning: picked out once, decoded, compared with the body. No I/O."""

import base64
import binascii

from msgspec import Struct

from toolgate.errors import HEADER_MISMATCH, Refusal

_FIELDS = {
    b"accept": "accept",
    b"accept-language": "languages",
    b"authorization": "authorization",
    b"content-length": "content_length",
    b"content-type": "content_type",
    b"dpop": "dpop",
    b"host": "host",
    b"last-event-id": "last_event_id",
    b"mcp-method": "method",
    b"mcp-name": "name",
    b"mcp-protocol-version": "version",
    b"mcp-session-id": "session",
    b"origin": "origin",
    b"traceparent": "traceparent",
    b"tracestate": "tracestate",
    b"txn-token": "task_token",
    b"x-api-key": "api_key",
    b"x-forwarded-client-cert": "forwarded_certificate",
    b"x-forwarded-user": "forwarded_user",
}
_SHOWN = frozenset({"dpop", "forwarded_certificate", "forwarded_user"})
_SINGLE = _SHOWN | {
    "authorization",
    "host",
    "method",
    "name",
    "version",
    "session",
    "origin",
    "api_key",
    "task_token",
}
_PARAM = b"mcp-param-"


class Headers(Struct, eq=False):
    """What the gateway reads of a request's headers. Latin-1 text; absent ones are None."""

    accept: str | None = None
    authorization: str | None = None
    content_length: str | None = None
    content_type: str | None = None
    host: str | None = None
    last_event_id: str | None = None
    method: str | None = None
    name: str | None = None
    version: str | None = None
    session: str | None = None
    origin: str | None = None
    api_key: str | None = None
    task_token: str | None = None
    languages: str | None = None
    traceparent: str | None = None
    tracestate: str | None = None
    dpop: str | None = None
    forwarded_certificate: str | None = None
    forwarded_user: str | None = None
    shows: bool = False
    """Whether one of the last three stands there."""
    params: tuple[tuple[bytes, bytes], ...] = ()
    """`Mcp-Param-*`, passed on as they came (E20)."""
    repeated: frozenset[str] = frozenset()
    """Which of the headers that must stand once stood twice: both copies would be believed by someone."""


def read(pairs: list[tuple[bytes, bytes]]) -> Headers:
    """Pick the known headers out of lower-case pairs."""
    found: dict[str, str] = {}
    params: tuple[tuple[bytes, bytes], ...] = ()
    repeated: frozenset[str] = frozenset()
    for name, value in pairs:
        field = _FIELDS.get(name)
        if field is not None:
            if field in found and field in _SINGLE:
                repeated |= {field}
            found[field] = value.decode("latin-1").strip()
        elif name.startswith(_PARAM):
            params += ((name, value),)
    shows = not _SHOWN.isdisjoint(found)
    return Headers(**found, shows=shows, params=params, repeated=repeated)


def accepts_stream(accept: str | None) -> bool:
    """Whether an answer may be an event stream. Lenient: only an explicit list without it says no (E15)."""
    return accept is None or "text/event-stream" in accept or "*/*" in accept or "text/*" in accept


def accepts_json(accept: str | None) -> bool:
    """Whether an answer may be one JSON object."""
    return accept is None or "json" in accept or "*/*" in accept or "application/*" in accept


def is_json(content_type: str | None) -> bool:
    """Whether the body claims to be JSON; parameters such as a charset are fine (E14)."""
    return content_type is not None and content_type.partition(";")[0].strip().lower() == "application/json"


def encode_value(value: str) -> bytes:
    """A header value that carries any text: as it is where it is plain, else in base64 (E12)."""
    plain = value.isascii() and value.isprintable() and value == value.strip()
    if plain and not value.startswith("=?base64?"):
        return value.encode()
    return b"=?base64?" + base64.b64encode(value.encode()) + b"?="


def decode_value(value: str) -> str:
    """The text a header value carries. Raises `Refusal` (-32020) for bad base64 (E18)."""
    if not (value.startswith("=?base64?") and value.endswith("?=")):
        return value
    text = value[len("=?base64?") : -len("?=")]
    try:
        data = base64.b64decode(text, validate=True)
        if base64.b64encode(data).decode() != text:
            raise ValueError("not canonical")
        return data.decode()
    except (binascii.Error, ValueError) as error:
        raise mismatch("A header is not valid base64.", reason=str(error)) from None


def mismatch(text: str, *, reason: str | None = None) -> Refusal:
    """Headers and body disagree, or a header stands twice (E13, E17)."""
    return Refusal.invalid(text, code=HEADER_MISMATCH, reason=reason)
