"""A request as the bytes that are sent. Knows no socket; refuses what could be read as two requests."""

import re
from functools import lru_cache
from urllib.parse import urlsplit

from msgspec import Struct

from toolgate.ports import HttpError

METHODS = {method: method.encode() for method in ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT")}

# RFC 9110, 8.6: an empty body is announced where the method gives a body a meaning.
LENGTH_EXPECTED = frozenset({"PATCH", "POST", "PUT"})

# The client says these itself: a second opinion about where the request ends is request smuggling.
OURS = frozenset(
    {
        b"connection",
        b"content-length",
        b"expect",
        b"host",
        b"keep-alive",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)

TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
AUTHORITY = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[0-9A-Za-z_-]{1,63}(\.[0-9A-Za-z_-]{1,63})*\.?)(:[0-9]*)?")
NOT_IN_URL = re.compile(r"[^\x21-\x7e]")


class Origin(Struct, frozen=True):
    """Whom to connect to."""

    secure: bool
    host: str
    port: int


class Address(Struct, frozen=True):
    """A URL, read: whom to connect to, and what follows the method on the first lines."""

    origin: Origin
    start: bytes


def refusal(text: str) -> HttpError:
    """A request that is not sent."""
    return HttpError("protocol", text, sent=False)


@lru_cache(maxsize=1024)
def read_url(url: str) -> Address:
    """Read an `http` or `https` URL; a fragment is dropped. Raises `HttpError`, which does not quote it."""
    if NOT_IN_URL.search(url):
        raise refusal("a URL with characters that must be percent-encoded")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise refusal("a URL that cannot be read") from None
    if parts.scheme not in ("http", "https"):
        raise refusal("a URL that is neither http nor https")
    if not parts.hostname or port == 0 or not AUTHORITY.fullmatch(parts.netloc):
        raise refusal("a URL without a plain host and port; credentials belong in a header")
    secure = parts.scheme == "https"
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    start = f" {target} HTTP/1.1\r\nHost: {parts.netloc}\r\n".encode()
    return Address(Origin(secure, parts.hostname, port or (443 if secure else 80)), start)


@lru_cache(maxsize=512)
def field_start(name: bytes) -> bytes:
    """The name and its colon. Raises `HttpError` for what is no name, or not the caller's to set."""
    if not TOKEN.fullmatch(name):
        raise refusal("a header name with characters that no name may have")
    if name.lower() in OURS:
        raise refusal(f"the header {name.decode()} is not the caller's to set")
    return name + b": "


def write_request(
    method: str, address: Address, headers: tuple[tuple[bytes, bytes], ...], body: bytes
) -> bytes:
    """The whole request in one piece, so that it leaves in one write. Raises `HttpError`."""
    lines = write_lines(method, address, headers)
    if body or method in LENGTH_EXPECTED:
        return b"%bContent-Length: %d\r\n\r\n%b" % (lines, len(body), body)
    return lines + b"\r\n"


@lru_cache(maxsize=512)
def write_lines(method: str, address: Address, headers: tuple[tuple[bytes, bytes], ...]) -> bytes:
    """The head without what the body adds to it: written once for requests that differ only there."""
    if method not in METHODS:
        raise refusal("a method that is not spoken here")
    parts = [METHODS[method], address.start]
    for name, value in headers:
        parts += (field_start(name), value, b"\r\n")
    head = b"".join(parts)
    lines = 2 + len(headers)
    # One line break more than we wrote came in with a value.
    if head.count(b"\n") != lines or head.count(b"\r") != lines or b"\0" in head:
        raise refusal("a header value with a line break or NUL")
    return head
