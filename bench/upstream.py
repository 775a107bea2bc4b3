"""The MCP server behind everything measured: fixed answers, both kinds of revision, no checks of its own.

Run as `python -m bench.upstream PORT TOOLS`. Lean on purpose: it shares a core with the load generator, and
its cost must not be what limits the figures.
"""

import asyncio
import sys
from collections.abc import Callable

import httptools
import msgspec
import uvloop

from bench.messages import ANSWER, MODERN, SESSIONS, TOOL

_INFO = '"serverInfo":{"name":"bank","version":"1.0.0"}'
_RESULT = (
    f'"content":[{{"type":"text","text":"{ANSWER}: 250.00 EUR from DE89370400440532013000 to '
    'FR1420041010050500013M02606, booked 2026-11-20, reference Invoice 2026-1187, office supplies"}],'
    '"isError":false'
)


class _Params(msgspec.Struct):
    name: str = ""
    protocol_version: str = msgspec.field(default=SESSIONS, name="protocolVersion")


class _Message(msgspec.Struct):
    method: str
    id: msgspec.Raw = msgspec.Raw()
    params: _Params = msgspec.field(default_factory=_Params)


class Answers:
    """What the server says: results by method, and how many tool calls it has answered."""

    def __init__(self, tools: int) -> None:
        names = [TOOL, *(f"tool_{number:03}" for number in range(1, tools))]
        self.names = frozenset(names)
        self.calls = 0
        self._decode = msgspec.json.Decoder(_Message).decode
        self._legacy_call = _result(_RESULT)
        self._modern_call = _result(f'{_RESULT},"resultType":"complete"')
        listing = '"tools":[' + ",".join(map(_tool, names)) + "]"
        self._modern = {
            "server/discover": _result(
                f'"supportedVersions":["{MODERN}"],"capabilities":{{"tools":{{}}}},"resultType":"complete",'
                f'"ttlMs":60000,"cacheScope":"public","_meta":{{"io.modelcontextprotocol/{_INFO[1:]}}}'
            ),
            "tools/list": _result(f'{listing},"resultType":"complete","ttlMs":60000,"cacheScope":"public"'),
        }
        self._legacy = {"tools/list": _result(listing), "ping": _result("")}

    def to(self, body: bytes) -> bytes:
        """The whole HTTP response to one POSTed message."""
        message = self._decode(body)
        number = bytes(message.id)
        modern = b"io.modelcontextprotocol/protocolVersion" in body
        if message.method == "tools/call" and message.params.name in self.names:
            self.calls += 1
            return _respond(number, self._modern_call if modern else self._legacy_call)
        if not number:
            return b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n"
        if message.method == "initialize":
            return _respond(
                number, _handshake(message.params.protocol_version), "mcp-session-id: bench-session\r\n"
            )
        tail = (self._modern if modern else self._legacy).get(message.method)
        if tail is not None:
            return _respond(number, tail)
        if message.method == "tools/call":
            return _respond(number, b',"error":{"code":-32602,"message":"Unknown tool"}}')
        status = "404 Not Found" if modern else "200 OK"
        return _respond(number, b',"error":{"code":-32601,"message":"Method not found"}}', status=status)


class Connection(asyncio.Protocol):
    """One keep-alive connection. Answers in order; a POST is a message, `GET /calls` the count of calls."""

    def __init__(self, answers: Answers) -> None:
        self._answers = answers
        self._parser = httptools.HttpRequestParser(self)
        self._write: Callable[[bytes], None] = lambda data: None
        self._body = b""
        self._url = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._write = transport.write  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._transport.close()

    def on_message_begin(self) -> None:
        self._body = self._url = b""

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        method = self._parser.get_method()
        if method == b"POST":
            self._write(self._answers.to(self._body))
        elif method == b"GET" and self._url == b"/calls":
            count = b"%d" % self._answers.calls
            self._write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(count), count))
        elif method == b"GET":
            # A session's own stream, on which nothing is ever said.
            kind = b"content-type: text/event-stream\r\ntransfer-encoding: chunked"
            self._write(b"HTTP/1.1 200 OK\r\n%b\r\n\r\n" % kind)
        else:
            status = b"204 No Content" if method == b"DELETE" else b"405 Method Not Allowed"
            self._write(b"HTTP/1.1 %b\r\ncontent-length: 0\r\n\r\n" % status)
        if not self._parser.should_keep_alive():
            self._transport.close()


def _result(content: str) -> bytes:
    return f',"result":{{{content}}}}}'.encode()


def _handshake(revision: str) -> bytes:
    revision = SESSIONS if revision == MODERN else revision
    return _result(f'"protocolVersion":"{revision}","capabilities":{{"tools":{{}}}},{_INFO}')


def _tool(name: str) -> str:
    kinds = {"from_account": "string", "to_account": "string", "amount": "number", "currency": "string"}
    properties = ",".join(f'"{key}":{{"type":"{kind}"}}' for key, kind in {**kinds, "memo": "string"}.items())
    schema = f'{{"type":"object","properties":{{{properties}}},"required":["amount"]}}'
    return f'{{"name":"{name}","description":"Moves money between two accounts.","inputSchema":{schema}}}'


def _respond(number: bytes, tail: bytes, extra: str = "", status: str = "200 OK") -> bytes:
    length = 22 + len(number) + len(tail)
    head = f"HTTP/1.1 {status}\r\ncontent-type: application/json\r\n{extra}content-length: {length}\r\n\r\n"
    return b'%b{"jsonrpc":"2.0","id":%b%b' % (head.encode(), number, tail)


async def serve(port: int, tools: int) -> None:
    """Answer on loopback until killed."""
    answers = Answers(tools)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(answers), "127.0.0.1", port, backlog=1024)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1]), int(sys.argv[2])))
