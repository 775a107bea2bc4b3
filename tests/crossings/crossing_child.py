"""A server on the official SDK that speaks over stdin and stdout."""

from mcp.server import MCPServer

server = MCPServer("child")


@server.tool()
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


server.run("stdio")
