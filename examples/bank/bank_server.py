"""A bank as an MCP server on streamable HTTP, built on the official SDK. Knows nothing of Toolgate.

It trusts whoever reaches it: what an agent may do here is the gateway's business.

    python bank_server.py --port 9001 --db run/bank.db
"""

import argparse
import csv
import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import uvicorn
from bank_store import Account, Bank, BankError, Transfer
from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ResourceNotFoundError, ToolError
from mcp_types import ToolAnnotations
from pydantic import Field

READS = ToolAnnotations(read_only_hint=True, open_world_hint=False)
WRITES = ToolAnnotations(read_only_hint=False, destructive_hint=False, open_world_hint=False)
DESTROYS = ToolAnnotations(read_only_hint=False, destructive_hint=True, open_world_hint=False)

Month = Annotated[str, Field(pattern=r"^\d{4}-\d{2}$", description="A month such as 2026-11.")]

FEES = """# Fees
- Transfers between own accounts: free.
- Transfers to suppliers inside SEPA: 0.20 EUR each, charged at month end.
- Statements as CSV: free. Recalled transfers: 15.00 EUR.
"""

LIMITS = """# Limits (internal)
- One signature up to 10,000 EUR, two signatures up to 250,000 EUR.
- Payroll accounts: payroll team only.
"""


def build(bank: Bank) -> MCPServer:
    """The MCP server over one bank file."""
    server = MCPServer("bank", version="1.0.0", log_level="WARNING")
    _add_tools_that_read(server, bank)
    _add_tools_that_write(server, bank)
    _add_resources(server, bank)
    _add_prompts(server)
    return server


@contextmanager
def _refusals() -> Iterator[None]:
    """What the bank refuses reaches the model as text; everything else stays a bug of this server."""
    try:
        yield
    except BankError as error:
        raise ToolError(str(error)) from error


def _add_tools_that_read(server: MCPServer, bank: Bank) -> None:
    @server.tool(title="List accounts", annotations=READS)
    def list_accounts() -> list[Account]:
        """Every account of the house with its balance."""
        return bank.accounts()

    @server.tool(title="Read an account", annotations=READS)
    def read_account(account: str) -> Account:
        """One account with its balance."""
        with _refusals():
            return bank.account(account)

    @server.tool(title="List transfers", annotations=READS)
    def list_transfers(account: str, limit: Annotated[int, Field(ge=1, le=200)] = 20) -> list[Transfer]:
        """The newest transfers from and to one account."""
        with _refusals():
            return bank.transfers(bank.account(account).id, limit=limit)

    @server.tool(title="Export statements", annotations=READS)
    def export_statements(month: Month) -> str:
        """All transfers of a month, of every account, as CSV."""
        table = io.StringIO()
        rows = csv.writer(table)
        rows.writerow(("id", "made_at", "from", "to", "amount", "memo"))
        rows.writerows(
            (made.id, made.made_at, made.from_account, made.to_account, f"{made.amount:.2f}", made.memo)
            for made in reversed(bank.transfers(month=month, limit=10_000))
        )
        return table.getvalue()


def _add_tools_that_write(server: MCPServer, bank: Bank) -> None:
    @server.tool(title="Transfer funds", annotations=WRITES)
    def transfer_funds(
        from_account: str,
        to_account: str,
        amount: Annotated[float, Field(gt=0, description="In the currency of the paying account.")],
        memo: Annotated[str, Field(max_length=140)],
    ) -> Transfer:
        """Move money between two accounts, at once and for good."""
        with _refusals():
            return bank.transfer(from_account, to_account, amount, memo)

    @server.tool(title="Close an account", annotations=DESTROYS)
    def close_account(account: str) -> Account:
        """Close an empty account. It cannot be opened again."""
        with _refusals():
            return bank.close(account)


def _add_resources(server: MCPServer, bank: Bank) -> None:
    @server.resource("bank://policies/fees", title="Fees", mime_type="text/markdown")
    def fees() -> str:
        """What the bank charges for."""
        return FEES

    @server.resource("bank://policies/limits", title="Limits", mime_type="text/markdown")
    def limits() -> str:
        """Who may sign for how much."""
        return LIMITS

    @server.resource("accounts://{account}/statement", title="Statement", mime_type="text/plain")
    def statement(account: str) -> str:
        """The balance of an account and its newest transfers."""
        try:
            held = bank.account(account)
        except BankError as error:
            raise ResourceNotFoundError(str(error)) from error
        lines = [f"{held.name} ({held.id}): {held.balance:,.2f} {held.currency}"]
        for made in bank.transfers(account, limit=20):
            amount = -made.amount if made.from_account == account else made.amount
            lines.append(f"{made.made_at[:10]}  {amount:>+13,.2f}  {made.memo}")
        return "\n".join(lines)


def _add_prompts(server: MCPServer) -> None:
    @server.prompt("monthly-close-summary", title="Summary of a monthly close")
    def monthly_close_summary(month: str) -> str:
        """Asks for the one-page summary that goes to the head of finance."""
        return (
            f"Summarise the close of {month} on one page: opening and closing balance of every operating"
            " account, the five largest transfers, and every transfer without an invoice number in its memo."
        )


def main() -> None:
    """Serve until told to stop."""
    wanted = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    wanted.add_argument("--port", type=int, default=9001)
    wanted.add_argument(
        "--db", type=Path, default=Path("run/bank.db"), help="made with sample data if missing"
    )
    given = wanted.parse_args()
    given.db.parent.mkdir(parents=True, exist_ok=True)
    app = build(Bank(given.db)).streamable_http_app()
    # Streams that clients keep open would otherwise hold up the stop for as long as they like.
    uvicorn.run(app, port=given.port, log_level="warning", timeout_graceful_shutdown=1)


if __name__ == "__main__":
    main()
