"""Everything a stranger may send: one request of each kind, made of chance, with the answers that are right for it."""

import json
import random
from collections.abc import Callable
from typing import Any, NamedTuple

from gateway_support import JSON, META, MODERN, bearer
from strict_json import ANSWERED, ECHOING, Answer, expected, id_of

MAX_BODY = 64 * 1024
"""As `limits.body` says in this suite."""

DOOR = b"/servers/bank/mcp"
GOOD = {"jsonrpc": "2.0", "id": 7, "method": "tools/list", "params": {"_meta": META}}
LEGACY_GOOD = {"jsonrpc": "2.0", "id": 7, "method": "tools/list", "params": {}}
MUTED = frozenset({(0, None)})
"""No answer: the connection just ends."""

PIECES = (
    b'"',
    b"{",
    b"[",
    b"]",
    b"}",
    b",",
    b"\\",
    b"\xff",
    b"\x00",
    b"1e999",
    b'"id":1,',
    b"\\ud800",
    b"NaN",
    b"",
)


class Garbage(NamedTuple):
    """One input."""

    kind: str
    sent: bytes
    right: frozenset[Answer]
    """The answers that are right."""
    last: bool = False
    """The connection ends with the answer, and nothing behind it is heard."""
    id: Any = None
    """The id that the answer must carry."""


def good_headers() -> dict[str, str]:
    """The headers of a good request."""
    return {
        "Host": "localhost",
        **JSON,
        **bearer("teller"),
        "MCP-Protocol-Version": MODERN,
        "Mcp-Method": "tools/list",
    }


def request(headers: dict[str, str], body: bytes, *extra: bytes) -> bytes:
    """A well-formed POST; `extra` are more header lines."""
    lines = [f"{name}: {value}".encode("latin-1") for name, value in headers.items()]
    head = b"\r\n".join((b"POST " + DOOR + b" HTTP/1.1", *lines, *extra, b"content-length: %d" % len(body)))
    return head + b"\r\n\r\n" + body


def _only(status: int, code: int | None = None) -> frozenset[Answer]:
    return frozenset({(status, code)})


def random_bytes(chance: random.Random) -> Garbage:
    sent = chance.randbytes(chance.randint(1, 300))
    # What could still become a request line is waited for, so the client's leaving ends it.
    return Garbage("random bytes", sent, _only(400) | MUTED, last=True)


def mutated_head(chance: random.Random) -> Garbage:
    body = json.dumps(GOOD).encode()
    head, _, _ = request(good_headers(), body).partition(b"\r\n\r\n")
    mutant = bytearray(head)
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(mutant))
        mutant[at : at + chance.randint(0, 3)] = chance.randbytes(chance.randint(0, 3))
    statuses = (400, 401, 403, 404, 405, 406, 413, 415)
    codes = (None, -32600, -32602, -32020, -32022, -31401, -31413, -32700)
    right = {(status, code) for status in statuses for code in codes} | {ANSWERED, (202, None)}
    return Garbage("mutated head", bytes(mutant) + b"\r\n\r\n" + body, frozenset(right) | MUTED, last=True)


def smuggling(chance: random.Random) -> Garbage:
    body = json.dumps(GOOD).encode()
    hidden = b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n"
    size = len(body)
    framing = chance.choice(
        [
            b"content-length: %d\r\ntransfer-encoding: chunked" % size,
            b"transfer-encoding: chunked\r\ncontent-length: %d" % size,
            b"content-length: %d\r\ncontent-length: %d" % (size, size + len(hidden)),
            b"content-length: %d, %d" % (size, size),
            b"content-length: +%d" % size,
            b"content-length: -%d" % size,
            b"content-length: 0x%x" % size,
            b"content-length: %d %d" % (size, size),
            b"content-length : %d" % size,
            b"content-length: " + b"9" * 30,
            b"transfer-encoding: xchunked",
            b"transfer-encoding: chunked, identity",
            b"transfer-encoding : chunked",
            b"transfer-encoding: \x0bchunked",
            b"transfer-encoding: chunked\r\ntransfer-encoding: identity",
            b"x: y\r\n content-length: %d" % size + b"\r\nz y",
            b"x: y\nz: \x00",
            b"x: y\x00",
        ]
    )
    name, colon, value = framing.partition(b":")
    framing = (
        bytes(chance.choice((byte, byte ^ 32)) if 97 <= byte <= 122 else byte for byte in name)
        + colon
        + value
    )
    head = b"POST " + DOOR + b" HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
    return Garbage("smuggling", head + framing + b"\r\n\r\n" + body + hidden, _only(400), last=True)


def bad_chunks(chance: random.Random) -> Garbage:
    headers = "".join(f"{name}: {value}\r\n" for name, value in good_headers().items()).encode()
    head = b"POST " + DOOR + b" HTTP/1.1\r\n" + headers + b"transfer-encoding: chunked\r\n\r\n"
    chunk = chance.choice(
        [
            b"zz\r\nabc\r\n0\r\n\r\n",
            b"-1\r\na\r\n0\r\n\r\n",
            b"0x3\r\nabc\r\n0\r\n\r\n",
            b"3\r\nabcd\r\n0\r\n\r\n",
            b"ffffffffffffffffff\r\nabc\r\n",
            b"3\nabc\r\n0\r\n\r\n",
            b" 3\r\nabc\r\n0\r\n\r\n",
            b"3\r\nabcX0\r\n\r\n",
        ]
    )
    return Garbage("bad chunks", head + chunk, _only(400), last=True)


def endless_headers(chance: random.Random) -> Garbage:
    start = b"POST " + DOOR + b" HTTP/1.1\r\nhost: localhost\r\n"
    many = b"".join(b"x-%d: y\r\n" % at for at in range(chance.randint(101, 300)))
    long = b"x: " + b"y" * chance.randint(33_000, 60_000) + b"\r\n"
    return Garbage("endless headers", start + chance.choice((many, long)) + b"\r\n", _only(431), last=True)


def hosts(chance: random.Random) -> Garbage:
    lines = chance.choice(
        [b"", b"host: localhost\r\nhost: localhost\r\n", b"host: localhost\r\nHost: evil\r\n"]
    )
    return Garbage("no one host", b"GET /healthz HTTP/1.1\r\n" + lines + b"\r\n", _only(400), last=True)


def oversize(chance: random.Random) -> Garbage:
    if chance.random() < 0.5:
        start = request({**good_headers(), "Expect": "x"}, b"").replace(
            b"content-length: 0", b"content-length: %d" % chance.randint(MAX_BODY + 1, 10**15)
        )
        return Garbage("oversize", start, _only(413, -31413), last=True)
    headers = "".join(f"{name}: {value}\r\n" for name, value in good_headers().items()).encode()
    head = b"POST " + DOOR + b" HTTP/1.1\r\n" + headers + b"transfer-encoding: chunked\r\n\r\n"
    chunk = b"%x\r\n%b\r\n" % (MAX_BODY // 4, b"x" * (MAX_BODY // 4))
    return Garbage("oversize", head + chunk * chance.randint(5, 8) + b"0\r\n\r\n", _only(413, -31413))


def foreign(chance: random.Random) -> Garbage:
    name = "".join(chance.choice("abcxyz0189.-:[]@_") for _ in range(chance.randint(1, 20)))
    change, status = chance.choice(
        [
            ({"Host": name + ".example"}, 403),
            ({"Origin": f"https://{name}.example"}, 403),
            ({"Origin": "null"}, 403),
            ({"Content-Type": "text/" + chance.choice(("plain", "html", "json"))}, 415),
            ({"Content-Type": "multipart/form-data; boundary=x"}, 415),
            ({"Accept": "text/" + chance.choice(("html", "plain", "css"))}, 406),
        ]
    )
    return Garbage(
        "foreign", request({**good_headers(), **change}, json.dumps(GOOD).encode()), _only(status, -32600)
    )


def credentials(chance: random.Random) -> Garbage:
    letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_=.+/ \xe9"
    token = "".join(chance.choice(letters) for _ in range(chance.randint(0, 200)))
    scheme = chance.choice(("Bearer ", "bearer ", "Basic ", "", "Bearer", "DPoP "))
    headers = {**good_headers(), "Authorization": scheme + token}
    if chance.random() < 0.2:
        headers["X-API-Key"] = token.strip()
    return Garbage("credentials", request(headers, json.dumps(GOOD).encode()), _only(401, -31401))


def tokens(chance: random.Random) -> Garbage:
    """Three parts like those of a JWT; there is no issuer that would have signed any."""
    parts = [chance.randbytes(chance.randint(0, 60)).hex() for _ in range(3)]
    headers = {**good_headers(), "Authorization": "Bearer " + ".".join(parts)}
    return Garbage("tokens", request(headers, json.dumps(GOOD).encode()), _only(401, -31401))


def _posted(kind: str, body: bytes, version: str = MODERN) -> Garbage:
    right = frozenset(expected(body, version, "tools/list"))
    sent = request({**good_headers(), "MCP-Protocol-Version": version}, body)
    echoes = all(status != 202 and code in ECHOING for status, code in right)
    return Garbage(kind, sent, right, id=id_of(body) if echoes else None)


def _any_message(chance: random.Random) -> tuple[bytes, str]:
    if chance.random() < 0.7:
        return json.dumps(GOOD).encode(), MODERN
    return json.dumps(LEGACY_GOOD).encode(), chance.choice(("2025-03-26", "2025-06-18", "2025-11-25"))


def cut(chance: random.Random) -> Garbage:
    body, version = _any_message(chance)
    return _posted("broken JSON", body[: chance.randrange(len(body))], version)


def mutated(chance: random.Random) -> Garbage:
    text, version = _any_message(chance)
    body = bytearray(text)
    for _ in range(chance.randint(1, 6)):
        at = chance.randrange(len(body))
        body[at : at + chance.randint(0, 3)] = chance.choice(PIECES)
    return _posted(
        "mutated JSON", bytes(body), chance.choice((version, version, version, "2099-01-01", "x", ""))
    )


def odd_text(chance: random.Random) -> Garbage:
    body, version = _any_message(chance)
    value = chance.choice(
        [
            b"NaN",
            b"Infinity",
            b"-Infinity",
            b"1" * 4301,
            b'"\\udc00"',
            b'"\xff"',
            b'"\xed\xa0\x80"',
            b"01",
            b"+1",
            b"'x'",
        ]
    )
    body = chance.choice(
        [b"\xef\xbb\xbf" + body, body.decode().encode("utf-16"), body[:-1] + b',"x":' + value + b"}"]
    )
    return _posted("odd text", body, version)


def deep(chance: random.Random) -> Garbage:
    body, version = _any_message(chance)
    levels = chance.randint(128, 5000)
    opening = [chance.choice((b"[", b'{"a":')) for _ in range(levels)]
    closing = [b"]" if one == b"[" else b"}" for one in reversed(opening)]
    nest = b"".join(opening) + b"0" + b"".join(closing)
    return _posted("deep", body[:-1] + b',"x":' + nest + b"}", version)


def twice(chance: random.Random) -> Garbage:
    body, version = _any_message(chance)
    starts = [at + 1 for at, byte in enumerate(body) if byte == ord("{") and body[at + 1] != ord("}")]
    at = chance.choice(starts)
    key = body[at : body.index(b":", body.index(b'"', at + 1))]
    copy = key + b":" + chance.choice((b"1", b'"tools/call"', b"null", b"{}")) + b","
    return _posted("duplicate keys", body[:at] + copy + body[at:], version)


def odd_envelope(chance: random.Random) -> Garbage:
    text, version = _any_message(chance)
    message = json.loads(text)
    odd = (None, True, 1.5, -0.5, [], {}, "", 0, 2**70, "2.0", 2, ["tools/list"], {"a": 1}, "x" * 1000)
    for _ in range(chance.randint(1, 2)):
        key = chance.choice(("id", "jsonrpc", "method", "params", "result", "error"))
        if chance.random() < 0.3:
            message.pop(key, None)
        else:
            message[key] = chance.choice(odd)
    if chance.random() < 0.1:
        message = chance.choice(([], [message], [1], [[]], "x", 1, None, True))
    return _posted("odd envelope", json.dumps(message).encode(), version)


def odd_meta(chance: random.Random) -> Garbage:
    message = json.loads(json.dumps(GOOD))
    key = chance.choice(list(META))
    if chance.random() < 0.5:
        del message["params"]["_meta"][key]
    else:
        message["params"]["_meta"][key] = chance.choice(
            (None, 1, "", [], "2099-01-01", "2025-11-25", MODERN, {"x": {}})
        )
    return _posted("odd _meta", json.dumps(message).encode())


def headers_against_body(chance: random.Random) -> Garbage:
    call = {
        **GOOD,
        "method": "tools/call",
        "params": {"name": "read_account", "arguments": {}, "_meta": META},
    }
    headers = {**good_headers(), "Mcp-Method": "tools/call", "Mcp-Name": "read_account"}
    name, value = chance.choice(
        [
            ("Mcp-Name", None),
            ("Mcp-Name", "transfer_funds"),
            ("Mcp-Name", "read_account, read_account"),
            ("Mcp-Name", "=?base64?!?="),
            ("Mcp-Name", "=?base64?cmVhZF9hY2NvdW50?= "),
            ("Mcp-Name", "=?BASE64?cmVhZF9hY2NvdW50?="),
            ("Mcp-Name", "READ_ACCOUNT"),
            ("Mcp-Method", None),
            ("Mcp-Method", "TOOLS/CALL"),
            ("Mcp-Method", "tools/list"),
            ("Mcp-Method", "tools/call,tools/call"),
            ("MCP-Protocol-Version", MODERN + "," + MODERN),
        ]
    )
    right = _only(200, None) if value == "=?base64?cmVhZF9hY2NvdW50?= " else _only(400, -32020)
    if value is None:
        del headers[name]
    else:
        headers[name] = value
    extra = ()
    if chance.random() < 0.3:
        twice_named = chance.choice(("Mcp-Name", "Mcp-Method", "MCP-Protocol-Version"))
        extra, right = (
            (f"{twice_named}: {chance.choice(('x', 'read_account'))}".encode(),),
            _only(400, -32020),
        )
        headers.setdefault(twice_named, "x")
    return Garbage("headers against body", request(headers, json.dumps(call).encode(), *extra), right)


def params_against_headers(chance: random.Random) -> Garbage:
    """A tool whose schema wants its region repeated in a header; known since the tools were listed."""
    region, sent = (chance.choice(("eu", "us", "EU", "", "eu, us", "=?base64?", None)) for _ in range(2))
    arguments = {"region": region, "x" * chance.randint(1, 5): chance.choice((None, [], {}, "eu"))}
    params = {"name": "route_payment", "arguments": arguments, "_meta": META}
    headers = {**good_headers(), "Mcp-Method": "tools/call", "Mcp-Name": "route_payment"}
    if sent is not None:
        headers["Mcp-Param-Region"] = sent
    body = json.dumps({**GOOD, "method": "tools/call", "params": params}).encode()
    right = _only(200) if region == sent else _only(400, -32020)
    return Garbage("params against headers", request(headers, body), right, id=7)


def sessions(chance: random.Random) -> Garbage:
    good = chance.random() < 0.7
    letters = "abcxyzABCXYZ0189-_.=+/" + ("" if good else "\x80\xff ")
    text = "".join(chance.choice(letters) for _ in range(chance.choice((1, 20, 200, 4096 if good else 5000))))
    usable = text.strip() == text and text.isascii() and " " not in text and len(text) <= 4096
    headers = {**good_headers(), "MCP-Protocol-Version": "2025-11-25", "Mcp-Session-Id": text}
    right = _only(404, -32600) if usable else _only(400, -32600) | _only(404, -32600)
    return Garbage("sessions", request(headers, json.dumps(LEGACY_GOOD).encode()), right)


def paths(chance: random.Random) -> Garbage:
    path = "/" + "".join(chance.choice("abc/.%20mcpservers-_~") for _ in range(chance.randint(0, 40)))
    sent = request(good_headers(), json.dumps(GOOD).encode()).replace(DOOR, path.encode(), 1)
    return Garbage("paths", sent, _only(404, -32600) | _only(400))


KINDS: tuple[tuple[Callable[[random.Random], Garbage], int], ...] = (
    (mutated, 28),
    (cut, 10),
    (odd_envelope, 10),
    (odd_text, 6),
    (deep, 5),
    (twice, 6),
    (odd_meta, 4),
    (headers_against_body, 6),
    (params_against_headers, 4),
    (credentials, 4),
    (tokens, 2),
    (sessions, 3),
    (foreign, 3),
    (paths, 2),
    (smuggling, 3),
    (bad_chunks, 2),
    (random_bytes, 2),
    (mutated_head, 1),
    (endless_headers, 1),
    (hosts, 1),
    (oversize, 1),
)


def make(seed: int, number: int) -> Garbage:
    """The input of this number: the same each time."""
    chance = random.Random(f"{seed}/{number}")
    kinds, weights = zip(*KINDS, strict=True)
    return chance.choices(kinds, weights)[0](chance)
