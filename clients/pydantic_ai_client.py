"""The MCP client of pydantic-ai."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import errands
from pydantic_ai.mcp import MCPToolset


class Peer:
    def __init__(self, toolset: MCPToolset, steps: list[Callable[[], None]]) -> None:
        self._toolset = toolset
        self._steps = steps

    async def names(self) -> list[str]:
        return [tool.name for tool in await self._toolset.list_tools()]

    async def call(self, tool: str, arguments: dict[str, Any], progress: Callable[[], None]) -> str:
        self._steps[:] = [progress]
        return str(await self._toolset.direct_call_tool(tool, arguments))


@asynccontextmanager
async def connect(url: str) -> AsyncIterator[Peer]:
    steps: list[Callable[[], None]] = []

    async def step(*_: Any) -> None:
        for tell in steps:
            tell()

    async def user(message: str, response_type: Any, params: Any, context: Any) -> dict[str, str]:
        return dict.fromkeys(params.requested_schema["properties"], errands.ANSWER)

    async def model(messages: Any, params: Any, context: Any) -> str:
        return errands.ANSWER

    toolset = MCPToolset(url, progress_handler=step, elicitation_handler=user, sampling_handler=model)
    async with toolset:
        yield Peer(toolset, steps)


errands.run(connect)
