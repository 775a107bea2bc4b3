"""One small document over HTTP. Knows sizes and deadlines, not what the document says."""

from ipaddress import ip_address
from urllib.parse import urlsplit

from toolgate.ports import Http


class Unusable(Exception):
    """There is an answer, but not one to build on."""


async def fetch(http: Http, url: str, limit: int, timeout: float) -> bytes:
    """The body at `url`. Raises `Unusable` for any status but 200 (redirects are not followed) and
    `HttpError`. `timeout` (seconds) bounds the wait for the headers; the whole is the caller's to bound."""
    headers = ((b"accept", b"application/json"),)
    response = await http.request("GET", url, headers, timeout=timeout, repeatable=True)
    try:
        if response.status != 200:
            raise Unusable(f"{url} answers {response.status}")
        return await response.read(limit)
    finally:
        response.close()


def is_secure(url: str) -> bool:
    """True where nobody in between can change what comes back: https, or this machine."""
    if not url.isascii() or not url.isprintable() or " " in url:
        return False  # `urlsplit` drops line breaks, a request line does not.
    parts = urlsplit(url)
    return bool(parts.hostname) and (parts.scheme == "https" or (parts.scheme == "http" and is_loopback(url)))


def is_loopback(url: str) -> bool:
    """True for an address on this machine, written as such: no name but `localhost` is looked up."""
    host = urlsplit(url).hostname or ""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
