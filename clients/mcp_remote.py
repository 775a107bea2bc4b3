"""mcp-remote, which is a stdio server in front of a URL: `mcp_remote.py COMMAND ERRANDS`. We are its host."""

import asyncio
import itertools
import json
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import errands

COMMAND = sys.argv.pop(1)


class Host:
    """Speaks lines of JSON-RPC with one process."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._steps: dict[int, Callable[[], None]] = {}

    async def listen(self) -> None:
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            self._take(json.loads(line))
        for waiting in self._waiting.values():
            waiting.cancel()

    def _take(self, message: Any) -> None:
        if message.get("method") == "notifications/progress":
            self._steps.get(message["params"]["progressToken"], lambda: None)()
        elif "method" in message and "id" in message:
            self._say({"id": message["id"], **_answer(message)})
        elif (waiting := self._waiting.pop(message.get("id"), None)) is not None and not waiting.done():
            waiting.set_result(message)

    def _say(self, message: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")

    async def ask(
        self, method: str, params: dict[str, Any], progress: Callable[[], None] = lambda: None
    ) -> Any:
        number = next(self._numbers)
        self._steps[number] = progress
        self._waiting[number] = asyncio.get_running_loop().create_future()
        self._say({"id": number, "method": method, "params": {**params, "_meta": {"progressToken": number}}})
        try:
            message = await self._waiting[number]
        except asyncio.CancelledError:
            self.tell("notifications/cancelled", {"requestId": number, "reason": "changed my mind"})
            raise
        assert "result" in message, message
        return message["result"]

    def tell(self, method: str, params: dict[str, Any]) -> None:
        self._say({"method": method, "params": params})

    async def names(self) -> list[str]:
        return [tool["name"] for tool in (await self.ask("tools/list", {}))["tools"]]

    async def call(self, tool: str, arguments: dict[str, Any], progress: Callable[[], None]) -> str:
        result = await self.ask("tools/call", {"name": tool, "arguments": arguments}, progress)
        return " ".join(block.get("text", "") for block in result["content"])


def _answer(question: Any) -> dict[str, Any]:
    if question["method"] == "elicitation/create":
        asked = question["params"]["requestedSchema"]["properties"]
        return {"result": {"action": "accept", "content": dict.fromkeys(asked, errands.ANSWER)}}
    if question["method"] == "sampling/createMessage":
        content = {"type": "text", "text": errands.ANSWER}
        return {"result": {"role": "assistant", "model": "none", "content": content}}
    if question["method"] == "ping":
        return {"result": {}}
    return {"error": {"code": -32601, "message": "not offered"}}


@asynccontextmanager
async def connect(url: str) -> AsyncIterator[Host]:
    with tempfile.TemporaryDirectory() as folder:
        process = await asyncio.create_subprocess_exec(
            COMMAND,
            url,
            "--allow-http",
            "--protocol",
            "auto",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            limit=2**24,
            env={**os.environ, "MCP_REMOTE_CONFIG_DIR": folder},
        )
        host = Host(process)
        listening = asyncio.ensure_future(host.listen())
        try:
            capabilities = {"elicitation": {}, "sampling": {}}
            who = {"name": "host", "version": "1"}
            params = {"protocolVersion": "2025-11-25", "capabilities": capabilities, "clientInfo": who}
            await host.ask("initialize", params)
            host.tell("notifications/initialized", {})
            yield host
        finally:
            process.terminate()
            await process.wait()
            await listening


errands.run(connect)
