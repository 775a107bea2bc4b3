"""What the listener refuses before anybody is identified, and garbage of every kind."""

import json
import random
import socket

import pytest
from gateway_support import JSON, META, MODERN, Running, bearer

CALL = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"_meta": META}}
HEADERS = {**JSON, **bearer("teller"), "MCP-Protocol-Version": MODERN, "Mcp-Method": "tools/list"}


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"Host": "evil.example.com"}, 403, -32600),
        ({"Origin": "https://evil.example.com"}, 403, -32600),
        ({"Content-Type": "text/plain"}, 415, -32600),
        ({"MCP-Protocol-Version": "2099-01-01"}, 400, -32020),
        ({"Mcp-Method": "tools/call"}, 400, -32020),
        ({"Mcp-Method": "TOOLS/LIST"}, 400, -32020),
    ],
)
def test_a_bad_header_is_refused(gateway: Running, change: dict[str, str], status: int, code: int) -> None:
    """P6.1, E13, E14, E17, E75."""
    answered, _, text = gateway.send("POST", "/mcp", json.dumps(CALL).encode(), {**HEADERS, **change})
    assert (answered, json.loads(text)["error"]["code"]) == (status, code)


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b'{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/list"}', 400, -32600),
        (b"[" * 5000 + b"]" * 5000, 400, -32700),
        (b"\xef\xbb\xbf{}", 400, -32700),
        (b'{"jsonrpc":"2.0","id":1,"method":"\xff"}', 400, -32700),
        (b'{"jsonrpc":"2.0","id":NaN,"method":"x"}', 400, -32700),
        (b'{"jsonrpc":"2.0","id":' + b"1" * 5000 + b',"method":"x"}', 400, -32700),
        (b'{"jsonrpc":"2.0","id":1.5,"method":"x"}', 400, -32600),
        (b'{"jsonrpc":"2.0","id":null,"method":"x"}', 400, -32600),
        (b'{"jsonrpc":"1.0","id":1,"method":"x"}', 400, -32600),
        (b'{"jsonrpc":"2.0","id":1,"result":{}}', 400, -32600),
        (b"[]", 400, -32600),
        (b"", 400, -32700),
        (b'{"jsonrpc":"2.0","id":1,"method":"tools/list"}', 400, -32602),
        (b"x" * (4 * 1024 * 1024 + 1), 413, -31413),
    ],
)
def test_a_bad_body_gets_the_error_it_deserves(gateway: Running, body: bytes, status: int, code: int) -> None:
    """P5.1, P4.1, E02, E04, E07, E08, E09."""
    answered, _, text = gateway.send("POST", "/mcp", body, HEADERS)
    assert (answered, json.loads(text)["error"]["code"]) == (status, code)


def test_each_message_of_a_batch_is_answered_for_itself(gateway: Running) -> None:
    """P3.4, E04: what one of them gets wrong costs the others nothing, and their ids stay with them."""
    batch = [
        {"jsonrpc": "2.0", "id": "a", "method": "ping"},
        {"jsonrpc": "2.0", "id": 2, "method": "no/such"},
        {"jsonrpc": "2.0", "id": 2.5, "method": "ping"},
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
        {"jsonrpc": "2.0", "id": 3, "method": "tools/call", "params": {}},
    ]
    headers = {**HEADERS, "MCP-Protocol-Version": "2025-03-26"}
    status, _, text = gateway.send("POST", "/mcp", json.dumps(batch).encode(), headers)
    answers = [(one["id"], one.get("error", {}).get("code")) for one in json.loads(text)]
    assert (status, answers) == (200, [("a", None), (2, -32601), (None, -32600), (3, -32602)])


def test_an_error_carries_the_id_of_its_request_in_sessions_too(gateway: Running) -> None:
    assert gateway.legacy("no/such", number="x")[2]["id"] == "x"
    assert gateway.legacy("tools/call", {"name": 7}, number=9)[2]["id"] == 9


def test_other_methods_are_told_what_is_allowed(gateway: Running) -> None:
    """P6.4, E37."""
    assert gateway.send("GET", "/mcp")[1]["allow"] == "POST"
    assert gateway.send("PUT", "/mcp")[0] == 405
    assert gateway.send("GET", "/nothing")[0] == 404
    assert gateway.send("POST", "/servers/nobody/mcp", b"{}", HEADERS)[0] == 404


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (
            b"POST /mcp HTTP/1.1\r\nhost: localhost\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n{}",
            b"400",
        ),
        (
            b"POST /mcp HTTP/1.1\r\nhost: localhost\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n{}",
            b"400",
        ),
        (b"GET /healthz HTTP/1.1\r\n\r\n", b"400"),
        (b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nhost: localhost\r\n\r\n", b"400"),
        (b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nx: " + b"y" * 40_000 + b"\r\n\r\n", b"431"),
        (b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n" + b"x: y\r\n" * 200 + b"\r\n", b"431"),
        (b"\x16\x03\x01\x02\x00\x01", b"400"),
    ],
)
def test_smuggling_and_endless_headers_end_the_connection(
    gateway: Running, request_bytes: bytes, status: bytes
) -> None:
    """E08."""
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=5) as client:
        client.sendall(request_bytes)
        answer = b""
        while chunk := client.recv(65536):
            answer += chunk
    assert answer.startswith(b"HTTP/1.1 " + status)
    assert answer.count(b"HTTP/1.1 ") == 1


def test_a_page_that_may_not_call_is_not_let_to_read_the_refusal(gateway: Running) -> None:
    """P6.6, E75."""
    foreign = gateway.send("POST", "/mcp", b"{}", {**HEADERS, "Origin": "https://evil.example.com"})
    assert (foreign[0], foreign[1].get("access-control-allow-origin")) == (403, None)
    ours = gateway.send("POST", "/mcp", b"{}", {**HEADERS, "Origin": "http://localhost:3000"})
    assert ours[1]["access-control-allow-origin"] == "http://localhost:3000"


def chunked(body: bytes, trailers: bytes) -> bytes:
    """A call whose credential stands behind its body."""
    head = "".join(f"{name}: {value}\r\n" for name, value in HEADERS.items() if name != "Authorization")
    start = f"POST /mcp HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{head}".encode()
    return start + b"transfer-encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n%b\r\n" % (len(body), body, trailers)


def answer_to(gateway: Running, sent: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=5) as client:
        client.sendall(sent)
        answer = b""
        while chunk := client.recv(65536):
            answer += chunk
    return answer


def test_a_trailer_is_no_header(gateway: Running) -> None:
    """What comes behind the body was seen by nobody who checks headers."""
    trailer = f"authorization: {bearer('teller')['Authorization']}\r\n".encode()
    assert answer_to(gateway, chunked(json.dumps(CALL).encode(), trailer)).startswith(b"HTTP/1.1 401 ")


def test_the_end_of_one_body_is_not_counted_as_the_next_requests_headers(gateway: Running) -> None:
    body = json.dumps({**CALL, "pad": "x" * 60_000}).encode()
    head = "".join(f"{name}: {value}\r\n" for name, value in HEADERS.items())
    first = f"POST /mcp HTTP/1.1\r\nhost: localhost\r\n{head}content-length: {len(body)}\r\n\r\n".encode()
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=5) as client:
        client.sendall(first + body + b"GET /healthz HTTP/1.1\r\nhost: local")
        assert client.recv(65536).startswith(b"HTTP/1.1 200 ")
        client.sendall(b"host\r\nconnection: close\r\n\r\n")
        rest = b""
        while chunk := client.recv(65536):
            rest += chunk
    assert rest.endswith(b'{"status":"ok"}')


def test_garbage_never_gets_a_500_and_never_ends_the_gateway(gateway: Running) -> None:
    """Mutations of a good message: each is answered, or refused with a JSON-RPC error."""
    random_bytes = random.Random(7)
    good = json.dumps(CALL).encode()
    for _ in range(1500):
        body = bytearray(good)
        for _ in range(random_bytes.randint(1, 6)):
            at = random_bytes.randrange(len(body))
            piece = random_bytes.choice(
                [b'"', b"{", b"[", b"\\", b"\xff", b"\x00", b"1e999", b'"id":1,', b""]
            )
            body[at : at + random_bytes.randint(0, 3)] = piece
        version = random_bytes.choice([MODERN, "2025-11-25", "2025-03-26", "x", ""])
        status, _, text = gateway.send(
            "POST", "/mcp", bytes(body), {**HEADERS, "MCP-Protocol-Version": version}
        )
        assert status in (200, 202, 400, 401, 404), (status, bytes(body))
        if status not in (200, 202):
            assert json.loads(text)["error"]["code"] < 0
    assert gateway.process.poll() is None
