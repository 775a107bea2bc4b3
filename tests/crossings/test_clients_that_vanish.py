"""Clients that leave at any moment leave nothing behind: no open call, no held call, no task."""

import asyncio
import itertools
import json
import random
from typing import Any

import pytest
from crossing_desk import Desk, serving
from crossing_gateway import META, MODERN

from toolgate.errors import Refusal
from toolgate.model import Principal
from toolgate.ports import Outbound
from toolgate.upstreams.crossing import Crossing
from toolgate.upstreams.held import HeldCalls
from toolgate.upstreams.http_client import HttpClient
from toolgate.upstreams.http_server import HttpServer

pytestmark = pytest.mark.filterwarnings("ignore::mcp.MCPDeprecationWarning")

TOOLS = ("add", "ask_name", "steps", "roots", "ask_all", "wait")
ANSWERS: dict[str, Any] = {
    "elicitation": {"action": "accept", "content": {"name": "Ann"}},
    "roots": {"roots": []},
    "sampling": {"role": "assistant", "model": "m", "content": {"type": "text", "text": "so"}},
}
CAPABILITIES = {"elicitation": {}, "roots": {}, "sampling": {}}


class Crowd:
    """Clients of one server, each of whom may leave in any round and at any moment of it."""

    def __init__(self, server: Crossing) -> None:
        self._server = server
        self._numbers = itertools.count(1)
        self._dice = random.Random(11)
        self.finished = 0

    async def one(self) -> None:
        number, tool = next(self._numbers), self._dice.choice(TOOLS)
        meta = {**META, "io.modelcontextprotocol/clientCapabilities": CAPABILITIES, "progressToken": number}
        params: dict[str, Any] = {"name": tool, "arguments": {"a": 1, "b": 2} if tool == "add" else {}}
        patience = 0.3 if tool == "wait" else self._dice.choice((0.01, 0.1, 20.0))
        while self._dice.random() > 0.2:
            message = {
                "jsonrpc": "2.0",
                "id": number,
                "method": "tools/call",
                "params": {**params, "_meta": meta},
            }
            try:
                async with asyncio.timeout(patience):
                    result = await self._asked(number, tool, json.dumps(message).encode())
            except (TimeoutError, Refusal):
                return
            if result["resultType"] == "complete":
                self.finished += 1
                return
            said = {key: ANSWERS[key.partition("-")[0]] for key in result["inputRequests"]}
            params |= {"inputResponses": said, "requestState": result["requestState"]}

    async def _asked(self, number: int, tool: str, message: bytes) -> dict[str, Any]:
        ann = Principal(id=f"p{number % 3}", method="api_key")
        reply = await self._server.exchange(Outbound(message, "tools/call", MODERN, number, tool, ann, None))
        last = reply.message or b""
        if reply.stream is not None:
            try:
                async for one in reply.stream:
                    last = one
            finally:
                await reply.stream.aclose()
        return dict(json.loads(last)["result"])


async def test_clients_that_leave_at_any_moment_leave_nothing_behind() -> None:
    """E36, E42, E70: what they were asked is given up in time, what they called is cancelled."""
    before = asyncio.all_tasks()
    with serving(Desk("sessions")) as port:
        held = HeldCalls(seconds=0.2)
        server = Crossing(
            HttpServer("desk", f"http://127.0.0.1:{port}/mcp", HttpClient(), streams=HttpClient()), held
        )
        crowd = Crowd(server)
        for _ in range(3):
            await asyncio.gather(*(crowd.one() for _ in range(40)))
        assert crowd.finished
        async with asyncio.timeout(20):
            while len(held):  # noqa: ASYNC110 - what ends by itself tells nobody
                await asyncio.sleep(0.05)
        await server.aclose()
        async with asyncio.timeout(20):
            while asyncio.all_tasks() != before:  # noqa: ASYNC110 - the same
                await asyncio.sleep(0.05)
