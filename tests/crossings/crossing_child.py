"""A server on the official SDK that speaks over stdin and stdout."""

from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from pydantic import BaseModel

server = MCPServer("child")


@server.tool()
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


class Name(BaseModel):
    """A form with one field."""

    name: str


@server.tool()
async def ask_name(ctx: Context) -> str:
    """Ask for a name."""
    answer = await ctx.elicit("Who?", Name)
    return answer.data.name if answer.action == "accept" else answer.action


server.run("stdio")
