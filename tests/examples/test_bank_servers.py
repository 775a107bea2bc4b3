"""The two sample servers by themselves, through the official client, in both kinds of revision."""

import sqlite3
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, MCPError, StdioServerParameters

SESSIONS, STATELESS = "legacy", "2026-07-28"
BANK_TOOLS = {
    "list_accounts",
    "read_account",
    "list_transfers",
    "transfer_funds",
    "close_account",
    "export_statements",
}
CRM_TOOLS = {"find_customer", "read_customer", "update_customer", "delete_customer"}

both_kinds = pytest.mark.parametrize("mode", [SESSIONS, STATELESS])


@asynccontextmanager
async def client(server: str | StdioServerParameters, mode: str) -> AsyncIterator[Client]:
    async with Client(server, mode=mode, read_timeout_seconds=5) as connected:
        yield connected


@pytest.fixture
def crm(bank_folder: Path, tmp_path: Path) -> StdioServerParameters:
    """The command that runs a CRM server of this test's own."""
    args = [str(bank_folder / "crm_server.py"), "--db", str(tmp_path / "crm.db")]
    return StdioServerParameters(command=sys.executable, args=args)


def balance(file: Path, account: str) -> int:
    with closing(sqlite3.connect(file)) as bank:
        return bank.execute("select cents from accounts where id = ?", (account,)).fetchone()[0]


def payment(**changes: Any) -> dict[str, Any]:
    return {"from_account": "ops-1001", "to_account": "sup-4001", "amount": 12.5, "memo": "test"} | changes


@both_kinds
async def test_the_bank_has_its_six_tools(bank_url: str, mode: str) -> None:
    async with client(bank_url, mode) as bank:
        assert {tool.name for tool in (await bank.list_tools()).tools} == BANK_TOOLS


@both_kinds
async def test_the_crm_has_its_four_tools(crm: StdioServerParameters, mode: str) -> None:
    async with client(crm, mode) as connected:
        assert {tool.name for tool in (await connected.list_tools()).tools} == CRM_TOOLS


@both_kinds
async def test_a_transfer_moves_the_money_and_is_listed(bank_url: str, bank_file: Path, mode: str) -> None:
    before = balance(bank_file, "ops-1001"), balance(bank_file, "sup-4001")
    async with client(bank_url, mode) as bank:
        made = await bank.call_tool("transfer_funds", payment())
        listed = await bank.call_tool("list_transfers", {"account": "sup-4001", "limit": 1})
    assert not made.is_error
    assert listed.structured_content == {"result": [made.structured_content]}
    assert (balance(bank_file, "ops-1001"), balance(bank_file, "sup-4001")) == (
        before[0] - 1250,
        before[1] + 1250,
    )


@both_kinds
@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"amount": 10_000_000}, "holds less than"),
        ({"amount": 0.001}, "at least 0.01"),
        ({"to_account": "ops-1001"}, "are the same"),
        ({"to_account": "sup-4003"}, "is closed"),
        ({"to_account": "nobody"}, "no account 'nobody'"),
    ],
)
async def test_a_transfer_the_bank_refuses_moves_nothing(
    bank_url: str, bank_file: Path, mode: str, change: dict[str, Any], text: str
) -> None:
    before = balance(bank_file, "ops-1001")
    async with client(bank_url, mode) as bank:
        refused = await bank.call_tool("transfer_funds", payment(**change))
    assert refused.is_error
    assert text in refused.content[0].text
    assert balance(bank_file, "ops-1001") == before


@both_kinds
async def test_an_account_with_money_in_it_is_not_closed(bank_url: str, mode: str) -> None:
    async with client(bank_url, mode) as bank:
        assert (await bank.call_tool("close_account", {"account": "res-3001"})).is_error


@both_kinds
async def test_an_export_holds_the_month_asked_for_and_no_other(bank_url: str, mode: str) -> None:
    async with client(bank_url, mode) as bank:
        export = await bank.call_tool("export_statements", {"month": "2026-10"})
    lines = export.content[0].text.splitlines()
    assert lines[0] == "id,made_at,from,to,amount,memo"
    assert [line.split(",")[1][:7] for line in lines[1:]] == ["2026-10"]


@both_kinds
async def test_the_bank_shows_resources_and_a_prompt(bank_url: str, mode: str) -> None:
    async with client(bank_url, mode) as bank:
        assert {str(found.uri) for found in (await bank.list_resources()).resources} == {
            "bank://policies/fees",
            "bank://policies/limits",
        }
        [template] = (await bank.list_resource_templates()).resource_templates
        assert template.uri_template == "accounts://{account}/statement"
        statement = await bank.read_resource("accounts://ops-1002/statement")
        assert "Operating account Lyon" in statement.contents[0].text
        with pytest.raises(MCPError):
            await bank.read_resource("accounts://nobody/statement")
        asked = await bank.get_prompt("monthly-close-summary", {"month": "2026-11"})
        assert "2026-11" in asked.messages[0].content.text


@both_kinds
async def test_the_crm_finds_changes_and_deletes(crm: StdioServerParameters, mode: str) -> None:
    async with client(crm, mode) as connected:
        found = await connected.call_tool("find_customer", {"text": "LYON"})
        [ravel] = found.structured_content["result"]
        changed = await connected.call_tool("update_customer", {"customer": ravel["id"], "note": "Paid."})
        assert changed.structured_content == ravel | {"note": "Paid."}
        await connected.call_tool("delete_customer", {"customer": ravel["id"]})
        gone = await connected.call_tool("read_customer", {"customer": ravel["id"]})
        assert gone.is_error


@both_kinds
async def test_the_crm_shows_a_resource_and_a_prompt(crm: StdioServerParameters, mode: str) -> None:
    async with client(crm, mode) as connected:
        card = await connected.read_resource("customers://cus-05/card")
        assert "Ravel & Fils" in card.contents[0].text
        reply = await connected.get_prompt("customer-reply", {"customer": "cus-05", "question": "When?"})
        assert "cus-05" in reply.messages[0].content.text
