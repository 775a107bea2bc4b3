"""`Mcp-Param-*`: arguments that a tool's schema wants repeated in headers (2026-07-28, basic/transports). No I/O."""

import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from toolgate.protocol.headers import decode_value, encode_value, mismatch

_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_PRIMITIVE = frozenset({"boolean", "integer", "string"})
_DECIMAL = re.compile(r"-?[0-9]{1,4300}(\.[0-9]+)?")
_MAX_SAFE = 2**53 - 1

Headers = Sequence[tuple[bytes, bytes]]

Declared = Mapping[str, tuple[str, ...]]
"""Header name to the path of its argument."""


def declared(schema: Any) -> Declared | None:
    """What a tool's input schema declares; None where it does so in a way that makes the tool unusable (E63).

    Only properties that are reached from the root through `properties` alone may declare a header.
    """
    found: dict[str, tuple[str, ...]] = {}
    for path, name, kind in _annotations(schema, ()):
        usable = isinstance(name, str) and _TOKEN.fullmatch(name) is not None and kind in _PRIMITIVE
        if not usable or name.lower() in {known.lower() for known in found}:
            return None
        found[name] = path
    return found if len(found) == _count(schema) else None


def _annotations(schema: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any, Any]]:
    properties = schema.get("properties") if isinstance(schema, dict) else None
    for key, value in properties.items() if isinstance(properties, dict) else ():
        if isinstance(value, dict):
            if "x-mcp-header" in value:
                yield (*path, key), value["x-mcp-header"], value.get("type")
            yield from _annotations(value, (*path, key))


def _count(schema: Any) -> int:
    """Annotations anywhere in a schema, also where none may stand."""
    if isinstance(schema, list):
        return sum(_count(item) for item in schema)
    if not isinstance(schema, dict):
        return 0
    properties = schema.get("properties")
    here = int("x-mcp-header" in schema)
    # A property may have any name, also this one.
    below = sum(_count(value) for key, value in schema.items() if key not in ("properties", "x-mcp-header"))
    return here + below + (sum(map(_count, properties.values())) if isinstance(properties, dict) else 0)


def written(declared: Declared, arguments: Any) -> tuple[tuple[bytes, bytes], ...]:
    """The headers of a call: none for an argument that is absent or null."""
    headers = []
    for name, path in declared.items():
        text = _text(_at(arguments, path))
        if text is not None:
            headers.append((_header(name), encode_value(text)))
    return tuple(headers)


def _header(name: str) -> bytes:
    return b"mcp-param-" + name.lower().encode()


def _at(arguments: Any, path: tuple[str, ...]) -> Any:
    for key in path:
        arguments = arguments.get(key) if isinstance(arguments, dict) else None
    return arguments


def _text(value: Any) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value) if abs(value) <= _MAX_SAFE else None
    return value if isinstance(value, str) else None


def check(declared: Declared, headers: Headers, arguments: Any) -> None:
    """Raises `Refusal` (-32020) where a declared header and its argument are not both there and equal, or both
    absent (E17). `headers` have lower-case names."""
    for name, path in declared.items():
        key = _header(name)
        sent = [value for one, value in headers if one == key]
        argument = _at(arguments, path)
        said = _any_text(argument)
        if not sent and said is None:
            continue
        if said is None or len(sent) != 1 or not _agree(argument, said, _read(sent[0])):
            raise mismatch(f"Mcp-Param-{name} and its argument do not say the same.")


def _read(value: bytes) -> str:
    return decode_value(value.decode("latin-1").strip())


def _any_text(value: Any) -> str | None:
    """As `_text`, and for what clients send although no schema may declare it."""
    if isinstance(value, float) or (isinstance(value, int) and not isinstance(value, bool)):
        return str(value)
    return _text(value)


def _agree(argument: Any, said: str, sent: str) -> bool:
    whole = isinstance(argument, int) and not isinstance(argument, bool)
    if (whole or (isinstance(argument, float) and argument.is_integer())) and _DECIMAL.fullmatch(sent):
        # 42.0 is 42; no detour through a float, which would take neighbours of large integers for equal.
        digits, _, fraction = sent.partition(".")
        return not fraction.strip("0") and Decimal(digits) == Decimal(argument)
    return sent == said
