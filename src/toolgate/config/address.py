"""Addresses: host and port to listen on, http URLs, Host and Origin names. Looks up and opens nothing."""

import ipaddress
import re
from typing import Annotated, NamedTuple
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator, PlainSerializer, PlainValidator

from toolgate.config.section import wrong

_HOST_NAME = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?(\.[A-Za-z0-9_-]+)*\.?")


class HostPort(NamedTuple):
    """Where to listen. An IPv6 address stands here without its brackets; port 0 means any free one."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def loopback(self) -> bool:
        """Whether only this machine can connect."""
        return is_loopback(self.host)


def is_loopback(host: str) -> bool:
    """Whether the name or address means this machine without asking a resolver."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def host_port(value: object) -> HostPort:
    """Reads `127.0.0.1:8080`, `localhost:8080` or `[::1]:8080`. Raises `PydanticCustomError`."""
    match = (
        re.fullmatch(r"(?:\[([^\]]+)\]|([^:\[\]]*)):(\d{1,5})", value, re.ASCII)
        if isinstance(value, str)
        else None
    )
    if match is None or int(match[3]) > 65_535:
        raise wrong("expected host:port, such as 127.0.0.1:8080.")
    host = match[1] or match[2]
    if not host:
        raise wrong("the host is missing.", "Write 0.0.0.0 to listen on every address.")
    if not _is_host(host, bracketed=match[1] is not None):
        raise wrong("the host is neither a name nor an IP address.")
    return HostPort(host, int(match[3]))


def http_url(value: str) -> str:
    """An absolute http(s) URL without user name, password and fragment, unchanged."""
    parts = _split(value)
    if parts.username is not None or parts.password is not None:
        raise wrong("a URL may hold no user name or password.", "Send credentials as a header.")
    if "#" in value:
        raise wrong("a URL here has no fragment ('#').")
    return value


def public_url(value: str) -> str:
    """An http(s) URL that other URLs are made from: no query, no trailing slash."""
    http_url(value)
    if "?" in value:
        raise wrong("a URL here has no query ('?').")
    if value.endswith("/"):
        raise wrong("a URL here does not end with a slash.", "Leave the last '/' out.")
    return value


def host_name(value: str) -> str:
    """What a `Host` header may say: a name or address, with or without port; lower-cased."""
    match = re.fullmatch(r"(?:\[([^\]]+)\]|([^:\[\]]+))(?::\d{1,5})?", value, re.ASCII)
    if match is None or not _is_host(match[1] or match[2], bracketed=match[1] is not None):
        raise wrong("expected a host name, such as tools.example.com or tools.example.com:8443.")
    return value.lower()


def origin(value: str) -> str:
    """What an `Origin` header may say: scheme, host and port only; lower-cased."""
    parts = _split(value)
    if parts.path or "?" in value or "#" in value or "@" in value:
        raise wrong("an origin is scheme and host only, such as https://app.example.com.")
    return value.lower()


def is_safe_transport(url: str) -> bool:
    """Whether what comes from there cannot be changed on the way: https, or this machine."""
    parts = urlsplit(url)
    return parts.scheme.lower() == "https" or is_loopback(parts.hostname or "")


def _split(value: str) -> SplitResult:
    # urlsplit drops tabs and newlines silently: what was checked would not be what is used.
    if not re.fullmatch(r"[\x21-\x7e]+", value):
        raise wrong("a URL has no spaces and only ASCII characters.")
    try:
        parts = urlsplit(value)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise wrong("expected an http:// or https:// URL.") from None
    if parts.scheme.lower() not in ("http", "https") or not host or port == 0:
        raise wrong("expected an http:// or https:// URL.")
    if not _is_host(host, bracketed=":" in host):
        raise wrong("the host of the URL is neither a name nor an IP address.")
    return parts


def _is_host(host: str, *, bracketed: bool) -> bool:
    try:
        return (ipaddress.ip_address(host).version == 6) is bracketed
    except ValueError:
        return not bracketed and len(host) <= 253 and _HOST_NAME.fullmatch(host) is not None


ListenAddress = Annotated[
    HostPort, PlainValidator(host_port, json_schema_input_type=str), PlainSerializer(str)
]
"""Host and port, written as one text."""

HttpUrl = Annotated[str, AfterValidator(http_url)]
PublicUrl = Annotated[str, AfterValidator(public_url)]
HostName = Annotated[str, AfterValidator(host_name)]
Origin = Annotated[str, AfterValidator(origin)]
