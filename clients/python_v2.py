"""The Python SDK 2.3, which finds out what a server speaks."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import errands
import mcp_types as types
from mcp import Client


class Peer:
    def __init__(self, client: Client) -> None:
        self._client = client

    async def names(self) -> list[str]:
        return [tool.name for tool in (await self._client.list_tools()).tools]

    async def call(self, tool: str, arguments: dict[str, Any], progress: Callable[[], None]) -> str:
        async def step(*_: Any) -> None:
            progress()

        result = await self._client.call_tool(tool, arguments, progress_callback=step)
        return " ".join(getattr(block, "text", "") for block in result.content)


async def _user(context: Any, params: Any) -> types.ElicitResult:
    asked = params.requested_schema["properties"]
    return types.ElicitResult(action="accept", content=dict.fromkeys(asked, errands.ANSWER))


async def _model(context: Any, params: Any) -> types.CreateMessageResult:
    content = types.TextContent(type="text", text=errands.ANSWER)
    return types.CreateMessageResult(role="assistant", content=content, model="none")


@asynccontextmanager
async def connect(url: str) -> AsyncIterator[Peer]:
    async with Client(url, elicitation_callback=_user, sampling_callback=_model) as client:
        yield Peer(client)


errands.run(connect)
