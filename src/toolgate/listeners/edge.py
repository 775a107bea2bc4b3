"""What is refused before anybody is identified: foreign hosts and origins, wrong methods, too much. No I/O.

Verifying a signature costs 46-91 us and must not be free to trigger, so these come first.
"""

from msgspec import Struct

from toolgate.errors import INVALID_REQUEST, TOO_LARGE, Refusal
from toolgate.protocol.headers import Headers, accepts_json, accepts_stream, is_json

_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


class Edge(Struct, frozen=True):
    """The bounds of the listener; fixed for the life of the process."""

    hosts: frozenset[str]
    """Host names that are ours, without port. Anything else is DNS rebinding or a mistake (E75)."""
    origins: frozenset[str]
    """Origins of pages that may call us; loopback pages may when we listen on loopback only."""
    loopback: bool
    max_body: int = 4 * 1024 * 1024
    max_headers: int = 32 * 1024
    max_header_count: int = 100
    header_seconds: float = 10.0
    body_seconds: float = 60.0
    """How long a client may take to send a body."""
    idle_seconds: float = 75.0
    """How long a connection may stay open between two requests; more than the 60 that load balancers keep it."""
    json_depth: int = 128


def check(edge: Edge, headers: Headers) -> None:
    """Raises `Refusal` (403) for a foreign `Host` or `Origin`."""
    if "host" in headers.repeated or host_name(headers.host or "") not in edge.hosts:
        raise _forbidden("Host not allowed.", f"host {headers.host!r}")
    origin = headers.origin
    if origin is None:
        return
    if "origin" in headers.repeated or not _is_allowed(edge, origin):
        raise _forbidden("Origin not allowed.", f"origin {origin!r}")


def _is_allowed(edge: Edge, origin: str) -> bool:
    if origin in edge.origins:
        return True
    scheme, _, host = origin.partition("://")
    return edge.loopback and scheme in ("http", "https") and host_name(host) in _LOOPBACK


def host_name(host: str) -> str:
    """The name in a Host header, in lower case and without its port."""
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.partition(":")[0].lower()


def check_post(edge: Edge, headers: Headers) -> None:
    """Raises `Refusal`: 415 for a body that is no JSON, 413 for one announced too large, 406 for no answer."""
    if not is_json(headers.content_type):
        raise _edge(415, "Content-Type must be application/json.", INVALID_REQUEST)
    announced = headers.content_length
    if announced is not None and announced.isdigit() and int(announced[:20]) > edge.max_body:
        raise too_large(edge)
    if not (accepts_json(headers.accept) or accepts_stream(headers.accept)):
        raise _edge(406, "Accept must allow application/json or text/event-stream.", INVALID_REQUEST)


def too_large(edge: Edge) -> Refusal:
    """The body exceeds the bound."""
    return _edge(413, f"The body exceeds {edge.max_body} bytes.", TOO_LARGE)


def wrong_method(allowed: str) -> Refusal:
    """405 with what is allowed here."""
    refusal = _edge(405, f"Method not allowed; use {allowed}.", INVALID_REQUEST)
    refusal.headers = ((b"allow", allowed.encode()),)
    return refusal


def not_found() -> Refusal:
    """No such path."""
    return _edge(404, "Not found.", INVALID_REQUEST)


def _forbidden(text: str, reason: str) -> Refusal:
    refusal = _edge(403, text, INVALID_REQUEST)
    refusal.reason = reason
    return refusal


def _edge(status: int, text: str, code: int) -> Refusal:
    return Refusal("edge", "edge", text, code=code, status=status)
