"""The Python SDK 1.30: sessions."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import errands
from mcp import ClientSession, types
from mcp.client.streamable_http import streamablehttp_client


class Peer:
    def __init__(self, session: ClientSession) -> None:
        self._session = session

    async def names(self) -> list[str]:
        return [tool.name for tool in (await self._session.list_tools()).tools]

    async def call(self, tool: str, arguments: dict[str, Any], progress: Callable[[], None]) -> str:
        async def step(*_: Any) -> None:
            progress()

        result = await self._session.call_tool(tool, arguments, progress_callback=step)
        return " ".join(getattr(block, "text", "") for block in result.content)


async def _user(context: Any, params: Any) -> types.ElicitResult:
    return types.ElicitResult(
        action="accept", content=dict.fromkeys(params.requestedSchema["properties"], errands.ANSWER)
    )


async def _model(context: Any, params: Any) -> types.CreateMessageResult:
    content = types.TextContent(type="text", text=errands.ANSWER)
    return types.CreateMessageResult(role="assistant", content=content, model="none")


@asynccontextmanager
async def connect(url: str) -> AsyncIterator[Peer]:
    async with (
        streamablehttp_client(url) as (read, write, _),
        ClientSession(read, write, elicitation_callback=_user, sampling_callback=_model) as session,
    ):
        await session.initialize()
        yield Peer(session)


errands.run(connect)
