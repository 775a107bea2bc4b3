"""The MCP client of langchain-mcp-adapters."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import errands
from langchain_mcp_adapters.callbacks import Callbacks
from langchain_mcp_adapters.client import MultiServerMCPClient
from mcp import types


class Peer:
    def __init__(self, tools: dict[str, Any], steps: list[Callable[[], None]]) -> None:
        self._tools = tools
        self._steps = steps

    async def names(self) -> list[str]:
        return list(self._tools)

    async def call(self, tool: str, arguments: dict[str, Any], progress: Callable[[], None]) -> str:
        self._steps[:] = [progress]
        return str(await self._tools[tool].ainvoke(arguments))


@asynccontextmanager
async def connect(url: str) -> AsyncIterator[Peer]:
    steps: list[Callable[[], None]] = []

    async def step(*_: Any) -> None:
        for tell in steps:
            tell()

    async def user(mcp_context: Any, params: Any, context: Any) -> types.ElicitResult:
        asked = params.requestedSchema["properties"]
        return types.ElicitResult(action="accept", content=dict.fromkeys(asked, errands.ANSWER))

    client = MultiServerMCPClient(
        {"toolgate": {"transport": "streamable_http", "url": url}},
        callbacks=Callbacks(on_progress=step, on_elicitation=user),
    )
    yield Peer({tool.name: tool for tool in await client.get_tools()}, steps)


errands.run(connect)
