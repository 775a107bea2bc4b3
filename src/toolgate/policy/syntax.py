"""What a checked CEL expression reads, from its serialized form. Knows the grammar's tree, not our names.

The library shows no syntax tree, but serializes one: `google.protobuf.Any` around `cel.expr.CheckedExpr`
(https://github.com/google/cel-spec, proto/cel/expr/syntax.proto). A tree cannot be fooled by string
literals, comments or macros, as a scanner of the text could.
"""

from collections.abc import Iterator

from msgspec import Struct

ANY_VALUE, CHECKED_EXPR = 2, 4
IDENT, SELECT, CALL = 4, 5, 6
CONSTANT_TAG, STRING_TAG = 3, 6
NAME, OPERAND, FIELD, TARGET, FUNCTION, ARGUMENT = 1, 1, 2, 1, 2, 3
# Which fields of each other node hold nodes: list elements, entries of a map, the parts of a comprehension.
CHILDREN = {SELECT: (1,), CALL: (1, 3), 7: (1,), 9: (2, 4, 5, 6, 7)}
STRUCT, ENTRIES = 8, 2
ENTRY_NODES = (3, 4)
NODES = frozenset({IDENT, *CHILDREN, STRUCT})
# Indexing, and selection and indexing of keys that may be missing.
INDEXING = frozenset({b"_[_]", b"_[?_]", b"_?._"})

Fields = list[tuple[int, bytes]]


class FunctionCall(Struct, frozen=True):
    """A function as a condition calls it."""

    name: str
    constants: tuple[str | None, ...]
    """Its arguments where they are string constants, the target of a member function left out."""
    field: str | None = None
    """The key that is taken of what it gives, where one is."""


def read_paths(serialized: bytes) -> Iterator[tuple[str, ...]]:
    """Every name the expression reads, with the constant keys after it: `args.a["b"]` is ("args", "a", "b").

    Raises `ValueError` for bytes that are no checked expression.
    """
    checked = _only(_fields(_only(_fields(serialized), ANY_VALUE)), CHECKED_EXPR)
    yield from _paths(checked)


def read_calls(serialized: bytes) -> Iterator[FunctionCall]:
    """Every function the expression calls, operators among them, outermost first. Raises `ValueError`."""
    checked = _only(_fields(_only(_fields(serialized), ANY_VALUE)), CHECKED_EXPR)
    yield from _calls(checked, None)


def _calls(node: bytes, field: str | None) -> Iterator[FunctionCall]:
    kind, body = _node(node)
    if kind == CALL:
        fields = _fields(body)
        constants = [_string(argument) for argument in _all(fields, ARGUMENT)]
        texts = tuple(None if text is None else text.decode() for text in constants)
        yield FunctionCall(_only(fields, FUNCTION).decode(), texts, field)
    taken = _only(_fields(body), FIELD).decode() if kind == SELECT else None
    for child in _children(kind, body):
        yield from _calls(child, taken)


def _paths(node: bytes) -> Iterator[tuple[str, ...]]:
    kind, body = _node(node)
    path = _path(kind, body)
    if path is not None:
        yield path
        return
    for child in _children(kind, body):
        yield from _paths(child)


def _path(kind: int, body: bytes) -> tuple[str, ...] | None:
    """Name and keys, where the node is an unbroken chain of them."""
    if kind == IDENT:
        return (_only(_fields(body), NAME).decode().removeprefix("."),)
    if kind == SELECT:
        fields = _fields(body)
        return _longer(_path(*_node(_only(fields, OPERAND))), _only(fields, FIELD))
    if kind == CALL:
        fields = _fields(body)
        arguments = _all(fields, ARGUMENT)
        if _only(fields, FUNCTION) in INDEXING and len(arguments) == 2:
            return _longer(_path(*_node(arguments[0])), _string(arguments[1]))
    return None


def _longer(path: tuple[str, ...] | None, key: bytes | None) -> tuple[str, ...] | None:
    return None if path is None or key is None else (*path, key.decode())


def _string(node: bytes) -> bytes | None:
    """The text of a string constant."""
    kind, body = _node(node)
    texts = _all(_fields(body), STRING_TAG) if kind == CONSTANT_TAG else []
    return texts[0] if texts else None


def _children(kind: int, body: bytes) -> list[bytes]:
    fields = _fields(body)
    if kind == STRUCT:
        entries = [_fields(entry) for entry in _all(fields, ENTRIES)]
        return [node for entry in entries for number in ENTRY_NODES for node in _all(entry, number)]
    return [node for number in CHILDREN.get(kind, ()) for node in _all(fields, number)]


def _node(node: bytes) -> tuple[int, bytes]:
    """Kind of a node and its body."""
    for number, value in _fields(node):
        if number in NODES or number == CONSTANT_TAG:
            return number, value
    raise ValueError("a node of unknown kind")


def _all(fields: Fields, number: int) -> list[bytes]:
    return [value for found, value in fields if found == number]


def _only(fields: Fields, number: int) -> bytes:
    values = _all(fields, number)
    if not values:
        raise ValueError(f"field {number} is missing")
    return values[0]


def _fields(message: bytes) -> Fields:
    """The length-delimited fields of a protobuf message; numbers are skipped, none is needed."""
    fields: Fields = []
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        wire = tag & 7
        if wire == 0:
            _, at = _varint(message, at)
        elif wire == 1:
            at += 8
        elif wire == 5:
            at += 4
        elif wire == 2:
            length, at = _varint(message, at)
            fields.append((tag >> 3, message[at : at + length]))
            at += length
        else:
            raise ValueError(f"wire type {wire}")
    if at != len(message):
        raise ValueError("the message is cut short")
    return fields


def _varint(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(message):
        byte = message[at]
        value |= (byte & 0x7F) << shift
        at += 1
        if byte < 0x80:
            return value, at
        shift += 7
    raise ValueError("the message is cut short")
