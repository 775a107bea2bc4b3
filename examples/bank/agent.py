"""A scripted agent on the official MCP client. Knows an address and a token, and nothing else of Toolgate.

python agent.py --token "$(python issuer.py token run --task monthly-close)"
"""

import argparse
import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx2
from mcp import Client, MCPError, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client
from mcp_types import TextContent, TextResourceContents

SESSIONS = "legacy"
"""The revisions up to 2025-11-25: a handshake, then a session."""

STATELESS = "2026-07-28"
"""The revision without sessions: every request stands for itself."""

PATIENCE = 10.0
"""Seconds an answer may take."""


@dataclass(frozen=True)
class Answer:
    """What came back. `ok` is False for a tool result with `isError` and for a JSON-RPC error alike."""

    ok: bool
    text: str
    data: dict[str, Any] = field(default_factory=dict)


class Agent:
    """One agent with one open connection."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def tools(self) -> list[str]:
        """The names of the tools it sees, sorted."""
        return sorted(tool.name for tool in (await self._client.list_tools()).tools)

    async def call(self, tool: str, **arguments: Any) -> Answer:
        """Call a tool."""
        try:
            result = await self._client.call_tool(tool, arguments)
        except MCPError as error:
            return Answer(False, str(error))
        text = "\n".join(part.text for part in result.content if isinstance(part, TextContent))
        return Answer(not result.is_error, text, result.structured_content or {})

    async def read(self, uri: str) -> Answer:
        """Read a resource."""
        try:
            result = await self._client.read_resource(uri)
        except MCPError as error:
            return Answer(False, str(error))
        return Answer(True, "\n".join(c.text for c in result.contents if isinstance(c, TextResourceContents)))

    async def prompt(self, name: str, **arguments: str) -> Answer:
        """Ask for a prompt."""
        try:
            result = await self._client.get_prompt(name, arguments)
        except MCPError as error:
            return Answer(False, str(error))
        parts = [message.content for message in result.messages]
        return Answer(True, "\n".join(part.text for part in parts if isinstance(part, TextContent)))


@asynccontextmanager
async def connect(url: str, token: str = "", *, mode: str = SESSIONS) -> AsyncIterator[Agent]:
    """An agent connected to `url`; `mode` is `SESSIONS` or `STATELESS`."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    # trust_env: a proxy named in the environment cannot reach a gateway on loopback.
    async with (
        httpx2.AsyncClient(headers=headers, timeout=PATIENCE, trust_env=False) as http,
        Client(
            streamable_http_client(url, http_client=http), mode=mode, read_timeout_seconds=PATIENCE
        ) as client,
    ):
        yield Agent(client)


@asynccontextmanager
async def attach(command: str, *args: str) -> AsyncIterator[Agent]:
    """An agent directly at a server that is started for it and spoken to over stdio."""
    server = StdioServerParameters(command=command, args=list(args))
    async with Client(server, mode=SESSIONS, read_timeout_seconds=PATIENCE) as client:
        yield Agent(client)


async def work(url: str, token: str) -> None:
    """See what there is, look an account up, pay an invoice, try to pay a large one."""
    async with connect(url, token) as agent:
        print("I see:", ", ".join(await agent.tools()) or "nothing")
        for tool, arguments in [
            ("bank__read_account", {"account": "ops-1001"}),
            ("bank__transfer_funds", _payment(1_250.00, "Invoice NW-21190")),
            ("bank__transfer_funds", _payment(25_000.00, "Advance for 2027")),
            ("crm__find_customer", {"text": "lyon"}),
        ]:
            answer = await agent.call(tool, **arguments)
            print(f"\n{tool} {arguments}\n  {'done' if answer.ok else 'refused'}: {answer.text}")


def _payment(amount: float, memo: str) -> dict[str, Any]:
    return {"from_account": "ops-1001", "to_account": "sup-4001", "amount": amount, "memo": memo}


def main() -> None:
    """Do the work once."""
    wanted = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    wanted.add_argument("--url", default="http://127.0.0.1:8080/mcp")
    wanted.add_argument("--token", required=True)
    given = wanted.parse_args()
    asyncio.run(work(given.url, given.token))


if __name__ == "__main__":
    main()
