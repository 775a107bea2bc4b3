"""A CRM as an MCP server on stdio, built on the official SDK. Knows nothing of Toolgate.

python crm_server.py --db run/crm.db
"""

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

from crm_store import Crm, CrmError, Customer
from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ResourceNotFoundError, ToolError
from mcp_types import ToolAnnotations
from pydantic import Field

READS = ToolAnnotations(read_only_hint=True, open_world_hint=False)
WRITES = ToolAnnotations(read_only_hint=False, destructive_hint=False, open_world_hint=False)
DESTROYS = ToolAnnotations(read_only_hint=False, destructive_hint=True, open_world_hint=False)

TONE = """# How we write to customers
- First sentence: the answer. Second: why. No more than 120 words.
- Never promise a date that the order does not show.
"""


def build(crm: Crm) -> MCPServer:
    """The MCP server over one CRM file."""
    server = MCPServer("crm", version="1.0.0", log_level="WARNING")
    _add_tools(server, crm)
    _add_resources(server, crm)
    _add_prompts(server)
    return server


@contextmanager
def _refusals() -> Iterator[None]:
    """What the CRM refuses reaches the model as text; everything else stays a bug of this server."""
    try:
        yield
    except CrmError as error:
        raise ToolError(str(error)) from error


def _add_tools(server: MCPServer, crm: Crm) -> None:
    @server.tool(title="Find customers", annotations=READS)
    def find_customer(text: str, limit: Annotated[int, Field(ge=1, le=50)] = 10) -> list[Customer]:
        """Customers whose name, city or contact contains a text."""
        return crm.find(text, limit)

    @server.tool(title="Read a customer", annotations=READS)
    def read_customer(customer: str) -> Customer:
        """One customer with contact and note."""
        with _refusals():
            return crm.customer(customer)

    @server.tool(title="Change the note about a customer", annotations=WRITES)
    def update_customer(customer: str, note: Annotated[str, Field(max_length=500)]) -> Customer:
        """Replace the note about a customer."""
        with _refusals():
            return crm.note(customer, note)

    @server.tool(title="Delete a customer", annotations=DESTROYS)
    def delete_customer(customer: str) -> Customer:
        """Delete a customer for good."""
        with _refusals():
            return crm.delete(customer)


def _add_resources(server: MCPServer, crm: Crm) -> None:
    @server.resource("crm://guides/tone", title="Tone of voice", mime_type="text/markdown")
    def tone() -> str:
        """How the house writes to its customers."""
        return TONE

    @server.resource("customers://{customer}/card", title="Customer card", mime_type="text/plain")
    def card(customer: str) -> str:
        """One customer on one line."""
        try:
            known = crm.customer(customer)
        except CrmError as error:
            raise ResourceNotFoundError(str(error)) from error
        return f"{known.name}, {known.city} ({known.tier}): {known.contact} <{known.email}>"


def _add_prompts(server: MCPServer) -> None:
    @server.prompt("customer-reply", title="Reply to a customer")
    def customer_reply(customer: str, question: str) -> str:
        """Asks for a reply to one customer's question."""
        return f"Read crm://guides/tone, then answer customer {customer}, who asks: {question}"


def main() -> None:
    """Serve until stdin ends."""
    wanted = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    wanted.add_argument(
        "--db", type=Path, default=Path("run/crm.db"), help="made with sample data if missing"
    )
    given = wanted.parse_args()
    given.db.parent.mkdir(parents=True, exist_ok=True)
    build(Crm(given.db)).run("stdio")


if __name__ == "__main__":
    main()
