"""The MCP client of openai-agents."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import errands
from agents.mcp import MCPServerStreamableHttp


class Peer:
    def __init__(self, server: MCPServerStreamableHttp) -> None:
        self._server = server

    async def names(self) -> list[str]:
        return [tool.name for tool in await self._server.list_tools()]

    async def call(self, tool: str, arguments: dict[str, Any], progress: Callable[[], None]) -> str:
        result = await self._server.call_tool(tool, arguments)
        return " ".join(getattr(block, "text", "") for block in result.content)


@asynccontextmanager
async def connect(url: str) -> AsyncIterator[Peer]:
    async with MCPServerStreamableHttp(
        params={"url": url}, name="toolgate", client_session_timeout_seconds=errands.SECONDS
    ) as server:
        yield Peer(server)


errands.run(connect)
