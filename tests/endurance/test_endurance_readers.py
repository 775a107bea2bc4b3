"""The readers of what strangers write, in process: any bytes give a value or an expected no, never anything else."""

import json
import random
from collections.abc import Callable, Iterable

from toolgate.errors import Refusal
from toolgate.model import Call
from toolgate.protocol import bridge, envelope, jsonrpc, legacy, lines, merge, modern, sse
from toolgate.protocol.headers import Headers, decode_value
from toolgate.protocol.methods import METHODS
from toolgate.protocol.seal import KeyRing

COUNT = 100_000
SEED = 20261125
RING = KeyRing([b"k" * 32])
CALL = Call("2026-07-28", "", "tools/call", b"", {"_meta": {"progressToken": "t"}}, id=b"1")
MESSAGES = (
    {
        "jsonrpc": "2.0",
        "id": 7,
        "result": {"content": [{"type": "text", "text": "\ud800"}], "isError": False},
    },
    {"jsonrpc": "2.0", "id": "7", "error": {"code": -32603, "message": "x", "data": [1e3, None]}},
    {
        "jsonrpc": "2.0",
        "method": "notifications/progress",
        "params": {"progressToken": 7, "progress": 0.5},
    },
    {"jsonrpc": "2.0", "id": 1, "method": "sampling/createMessage", "params": {"messages": []}},
    {"jsonrpc": "2.0", "id": 7, "result": {"contents": [{"uri": "a:b", "text": "\u00e9"}, {"uri": 1}]}},
    {
        "jsonrpc": "2.0",
        "id": 7,
        "result": {"messages": [{"content": {"type": "resource", "resource": {"uri": "x"}}}]},
    },
    {
        "jsonrpc": "2.0",
        "id": 7,
        "result": {"content": [{"type": "resource_link", "uri": "a:b"}, {"type": "text"}]},
    },
    {"tools": [{"name": "a", "_meta": {"ui": {"resourceUri": "ui://x"}}}, {"name": "b", "_meta": 1}]},
    {
        "tools": [{"name": "a", "inputSchema": {"type": "object"}}, {"name": 1}, 7],
        "nextCursor": "",
        "ttlMs": 1,
    },
)
TEXTS = (
    *(json.dumps(message).encode() for message in MESSAGES),
    b"event: message\r\nid: 1\ndata: {}\r\rretry: 9\ndata\n\n: x\n\n",
    b"aGVsbG8.d29ybGQ.",
    b"=?base64?aGk=?=",
)
PIECES = (*b'"{}[]:,\\\n\r\0', 0xFF, 0xED, 0xEF)


def _legacy(data: bytes) -> object:
    message = jsonrpc.parse(data)
    headers = Headers(version="2025-11-25", session=data.decode("latin-1"))
    return legacy.read(headers, message, jsonrpc.request_id(message), data, "")


def _modern(data: bytes) -> object:
    message = jsonrpc.parse(data)
    headers = Headers(version="2026-07-28", method="tools/call", name=data.decode("latin-1"))
    return modern.read(headers, message, jsonrpc.request_id(message) or b"1", data, "")


def _pieces(chance: random.Random, data: bytes) -> Iterable[bytes]:
    at = 0
    while at < len(data):
        step = chance.randint(1, 20)
        yield data[at : at + step]
        at += step


def _events(chance: random.Random, data: bytes) -> object:
    reader = sse.Reader(64)
    return [reader.feed(piece) for piece in _pieces(chance, data)]


def _lines(chance: random.Random, data: bytes) -> object:
    reader = lines.Lines(64)
    return [list(reader.feed(piece)) for piece in _pieces(chance, data)]


def _returned(data: bytes) -> object:
    return bridge.Return(CALL, 7, "bank", shared=True).read(data)


def _listed(data: bytes) -> object:
    """A list that can be read can also be shown."""
    method = METHODS["tools/list"]
    page = merge.page(jsonrpc.Raw(data), method)
    try:
        shown = [merge.behind_shared_door(entry, method, "bank", "__") for entry in page.entries]
        return merge.listing(shown, method, rest={}, missing={}, modern=True, seconds=0.0)
    except ValueError as error:
        raise AssertionError("read, but not shown") from error


READERS: tuple[
    tuple[Callable[[random.Random, bytes], object], type[Exception] | tuple[type[Exception], ...]], ...
] = (
    (lambda _, data: _legacy(data), Refusal),
    (lambda _, data: _modern(data), Refusal),
    (_events, sse.TooLarge),
    (_lines, lines.LineTooLong),
    (lambda _, data: envelope.read(data), ()),
    (lambda _, data: _returned(data), (Refusal, bridge.Unasked)),
    (lambda _, data: bridge.unrelated(data, "bank", shared=True), ()),
    (lambda _, data: _listed(data), ValueError),
    (lambda _, data: decode_value(data.decode("latin-1")), Refusal),
    (lambda _, data: RING.open(data.decode("latin-1"), purpose="p", bound_to="b", now=0.0), ()),
    (lambda _, data: bridge.addressee(data), ()),
)


def _bytes(chance: random.Random) -> bytes:
    if chance.random() < 0.1:
        return chance.randbytes(chance.randint(0, 200))
    data = bytearray(chance.choice(TEXTS))
    for _ in range(chance.randint(0, 5)):
        at = chance.randrange(len(data) + 1)
        data[at : at + chance.randint(0, 3)] = bytes([chance.choice(PIECES)])
    if chance.random() < 0.02:
        data[0:0] = b"[" * chance.randint(100, 20_000)
    return bytes(data)


def test_any_bytes_give_a_value_or_an_expected_no(tell: Callable[[str], None]) -> None:
    chance = random.Random(SEED)
    values = refusals = 0
    for number in range(COUNT):
        data = _bytes(chance)
        for read, expected in READERS:
            try:
                read(chance, data)
            except expected:
                refusals += 1
            except Exception as error:
                raise AssertionError(f"input {number} of seed {SEED}: {data[:300]!r}") from error
            else:
                values += 1
        if number % 20_000 == 0:
            tell(f"{number} of {COUNT}")
    tell(f"{COUNT} inputs to {len(READERS)} readers: {values} values, {refusals} expected refusals")
    assert values + refusals == COUNT * len(READERS)
    assert min(values, refusals) > COUNT
