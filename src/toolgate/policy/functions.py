"""What our own functions of conditions compute: sets, addresses, dates, paths, routes, SQL. Knows no CEL library.

Each raises `Unreadable` for what it cannot read, so that the condition fails: a value that nobody can read is
not safe.
"""

import ipaddress
import math
import posixpath
import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import unquote, urlsplit

from msgspec import Struct

SQL_FIELDS = ("statements", "reads_only", "verb", "verbs", "tables", "schemas", "columns", "has_where")
URL_FIELDS = ("scheme", "host", "port", "path", "query")
FIELDS = {"sql": SQL_FIELDS, "url": URL_FIELDS}
"""The only keys of what these functions give."""
DIALECTS = ("postgres", "mysql", "sqlite", "tsql", "bigquery")

Read = Callable[[str, str], dict[str, Any]]
"""Reads an SQL text in a dialect."""

_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_PARAMETER = re.compile(r"\{[A-Za-z_][A-Za-z0-9_]*\}")
_PORTS = {"http": 80, "https": 443}


class Unreadable(ValueError):
    """A value that a function cannot read. The text holds nothing of the value: it ends up in the ledger."""


class Overload(Struct, frozen=True):
    """One form of a function. Types are `string`, `int`, `double`, `bool`, `list`, `map`, `timestamp`."""

    name: str
    parameters: tuple[str, ...]
    result: str
    impl: Callable[..., Any]
    member: bool = False


def overloads(read: Read, dialect: str | None) -> list[Overload]:
    """All of them; `sql` with one argument reads in `dialect`."""

    def sql(text: str) -> dict[str, Any]:
        if dialect is None:
            raise Unreadable("no `sql` dialect is configured for this server")
        return read(text, dialect)

    return [
        Overload("sql", ("string",), "map", sql),
        Overload("sql", ("string", "string"), "map", read),
        Overload("url", ("string",), "map", url),
        Overload("route", ("string", "string"), "bool", route),
        Overload("under", ("string", "string"), "bool", under),
        Overload("cidr", ("string",), "string", cidr),
        Overload("containsIP", ("string", "string"), "bool", contains_ip, member=True),
        Overload("date", ("string",), "timestamp", to_date),
        *(Overload("text", (kind,), "string", spelled) for kind in ("string", "int", "double", "bool")),
        Overload("sets.contains", ("list", "list"), "bool", contains_all),
        Overload("sets.intersects", ("list", "list"), "bool", intersects),
        Overload("sets.equivalent", ("list", "list"), "bool", equivalent),
    ]


def spelled(value: str | int | float | bool) -> str:
    """A text as it is, a number in its shortest decimal digits, `true` or `false`."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, float):
        return str(value)
    if not math.isfinite(value):
        raise Unreadable("this is no finite number")
    return str(int(value)) if value.is_integer() else format(Decimal(repr(value)), "f")


def contains_all(whole: list[Any], part: list[Any]) -> bool:
    """Whether every element of `part` is one of `whole`."""
    return all(any(_same(one, other) for other in whole) for one in part)


def intersects(left: list[Any], right: list[Any]) -> bool:
    """Whether some element is in both."""
    return any(_same(one, other) for one in left for other in right)


def equivalent(left: list[Any], right: list[Any]) -> bool:
    """Whether each holds all of the other."""
    return contains_all(left, right) and contains_all(right, left)


def _same(one: Any, other: Any) -> bool:
    # To Python, true is 1; to CEL it is not, and 1 is 1.0 to both.
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    return bool(one == other)


def cidr(text: str) -> str:
    """The range, in its one spelling."""
    try:
        return str(ipaddress.ip_network(text))
    except ValueError:
        raise Unreadable("this is no range of addresses such as 10.0.0.0/8") from None


def contains_ip(network: str, address: str) -> bool:
    """Whether the address lies in the range. An IPv4 address written as IPv6 is the IPv4 address."""
    try:
        inside = ipaddress.ip_address(address)
    except ValueError:
        raise Unreadable("this is no IP address") from None
    mapped = inside.ipv4_mapped if isinstance(inside, ipaddress.IPv6Address) else None
    return (mapped or inside) in ipaddress.ip_network(cidr(network))


def to_date(text: str) -> datetime:
    """Midnight, UTC, of a day such as 2026-11-20."""
    try:
        if _DATE.fullmatch(text):
            day = date.fromisoformat(text)
            return datetime(day.year, day.month, day.day, tzinfo=UTC)
    except ValueError:
        pass
    raise Unreadable("this is no date such as 2026-11-20")


def under(path: str, root: str) -> bool:
    """Whether a path stays below `root` once `.` and `..` are followed; a relative one starts at `root`.

    Symbolic links are the server's business: they cannot be seen from here.
    """
    if not root.startswith("/"):
        raise Unreadable("the root is no absolute path")
    if any(ord(char) < 32 or char in "\\\x7f" for char in path) or path.startswith("~"):
        raise Unreadable("the path holds what servers read differently")
    if "%" in path and unquote(path) != path:
        raise Unreadable("the path holds percent signs that servers may decode")
    top = posixpath.normpath(root)
    full = posixpath.normpath(posixpath.join(top, path))
    # Two slashes in front are kept by POSIX and mean something else to some systems.
    return not path.startswith("//") and (full == top or full.startswith(top.rstrip("/") + "/"))


def url(text: str) -> dict[str, Any]:
    """Scheme, host, port, path and query of an absolute http or https URL; the host in small letters."""
    if any(ord(char) <= 32 or ord(char) == 127 or char == "\\" for char in text):
        raise Unreadable("the URL holds what clients read differently")
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise Unreadable("this is no URL") from None
    host = (parts.hostname or "").removesuffix(".")
    if parts.scheme not in _PORTS or not host or not host.isascii():
        raise Unreadable("this is no absolute http or https URL with an ASCII host")
    if "@" in parts.netloc:
        # `https://good.example@evil.example` shows one host and means another.
        raise Unreadable("the URL holds a user name")
    path = parts.path or "/"
    return {
        "scheme": parts.scheme,
        "host": host,
        "port": _PORTS[parts.scheme] if port is None else port,
        "path": path,
        "query": parts.query,
    }


def route(path: str, template: str) -> bool:
    """Whether a path, or a URL's path, has the form of `/users/{id}/orders`, where each `{…}` is one segment.

    `/*` at the end stands for one or more segments. A path that servers could resolve to another one raises.
    """
    plain = url(path)["path"] if "://" in path else path.partition("#")[0].partition("?")[0]
    given, wanted = _segments(plain), template.split("/")[1:]
    if not template.startswith("/"):
        raise Unreadable("a route begins with a slash")
    if wanted[-1:] == ["*"]:
        wanted.pop()
        if len(given) <= len(wanted):
            return False
        given = given[: len(wanted)]
    return len(given) == len(wanted) and all(map(_fits, given, wanted))


def _segments(path: str) -> list[str]:
    try:
        decoded = unquote(path, errors="strict")
    except UnicodeDecodeError:
        raise Unreadable("the path holds bytes that are no UTF-8") from None
    odd = any(ord(char) < 32 or char in "\\\x7f" for char in decoded)
    segments = path.split("/")
    if odd or not path.startswith("/") or decoded.count("/") != path.count("/"):
        raise Unreadable("the path holds what servers read differently")
    if "%" in decoded or any(unquote(one).partition(";")[0] in (".", "..") for one in segments):
        raise Unreadable("the path may be resolved to another one")
    if "" in segments[1:-1]:
        raise Unreadable("the path has an empty segment")
    return [unquote(one) for one in segments[1:]]


def _fits(segment: str, wanted: str) -> bool:
    return bool(segment) if _PARAMETER.fullmatch(wanted) else segment == wanted
