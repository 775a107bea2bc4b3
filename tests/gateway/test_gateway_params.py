"""`Mcp-Param-*` at the gateway: what a tool's schema declares is checked against the body, the rest passes."""

from typing import Any

import pytest
from gateway_support import Bank, Running, records

ARGUMENTS = {"region": "eu", "limits": {"daily": 42}}
GOOD = {"Mcp-Param-Region": "eu", "Mcp-Param-Daily-Limit": "42"}


@pytest.fixture(autouse=True)
def _listed(gateway: Running) -> None:
    """Schemas are known once somebody has listed the tools."""
    gateway.modern("tools/list")


def call(
    gateway: Running, arguments: dict[str, Any], headers: dict[str, str], **more: Any
) -> tuple[int, int | None]:
    params = {"name": more.pop("name", "route_payment"), "arguments": arguments}
    status, _, answer = gateway.modern("tools/call", params, headers=headers, **more)
    return status, answer.get("error", {}).get("code")


@pytest.mark.parametrize(
    ("arguments", "headers"),
    [
        (ARGUMENTS, GOOD),
        (ARGUMENTS, {**GOOD, "Mcp-Param-Daily-Limit": "42.0"}),
        (ARGUMENTS, {**GOOD, "Mcp-Param-Region": "=?base64?ZXU=?="}),
        ({**ARGUMENTS, "region": "größe"}, {**GOOD, "Mcp-Param-Region": "=?base64?Z3LDtsOfZQ==?="}),
        ({"region": None, "limits": {"daily": 42}}, {"Mcp-Param-Daily-Limit": "42"}),
        ({}, {}),
    ],
)
def test_headers_that_say_what_the_body_says_pass(
    gateway: Running, arguments: dict[str, Any], headers: dict[str, str]
) -> None:
    """Integers are compared as numbers, text may travel in base64, null is as absent."""
    assert call(gateway, arguments, headers) == (200, None)
    sent = {name.lower(): value for name, value in Bank.seen[-1]["headers"].items()}
    assert {name.lower(): value for name, value in headers.items()}.items() <= sent.items()


@pytest.mark.parametrize(
    ("arguments", "headers"),
    [
        (ARGUMENTS, {}),
        (ARGUMENTS, {"Mcp-Param-Region": "eu"}),
        (ARGUMENTS, {**GOOD, "Mcp-Param-Region": "us"}),
        (ARGUMENTS, {**GOOD, "Mcp-Param-Region": "EU"}),
        (ARGUMENTS, {**GOOD, "Mcp-Param-Daily-Limit": "43"}),
        (ARGUMENTS, {**GOOD, "Mcp-Param-Region": "=?base64?!?="}),
        (ARGUMENTS, {**GOOD, "Mcp-Param-Region": "eu, eu"}),
        ({"limits": {"daily": 42}}, GOOD),
        ({**ARGUMENTS, "region": ["eu"]}, GOOD),
    ],
)
def test_a_declared_header_that_differs_is_refused_and_never_forwarded(
    gateway: Running, arguments: dict[str, Any], headers: dict[str, str]
) -> None:
    """E17, E20: what a router on the way believes is what policy and server see."""
    seen = len(Bank.seen)
    assert call(gateway, arguments, headers) == (400, -32020)
    assert len(Bank.seen) == seen
    assert (records(gateway.folder)[-1]["outcome"], records(gateway.folder)[-1]["code"]) == (
        "refused",
        -32020,
    )


def test_the_shared_door_checks_the_same(gateway: Running) -> None:
    gateway.modern("tools/list", path="/mcp")
    assert call(gateway, ARGUMENTS, GOOD, path="/mcp", name="bank__route_payment") == (200, None)
    assert call(gateway, ARGUMENTS, {}, path="/mcp", name="bank__route_payment") == (400, -32020)


def test_a_hidden_tool_stays_hidden_whatever_its_headers_say(gateway: Running) -> None:
    """E80: the check comes behind the policy."""
    assert call(gateway, ARGUMENTS, {}, key="guest") == (400, -32602)


def test_a_header_that_no_schema_declares_passes_unchanged(gateway: Running) -> None:
    """P16.1, E20."""
    assert call(gateway, {}, {"Mcp-Param-Else": " x"}, name="read_account") == (200, None)
    assert {name.lower(): value for name, value in Bank.seen[-1]["headers"].items()}["mcp-param-else"] == "x"


def test_a_client_with_a_session_sends_no_such_headers(gateway: Running) -> None:
    session = gateway.initialize()
    params = {"name": "route_payment", "arguments": ARGUMENTS}
    assert "result" in gateway.legacy("tools/call", params, session=session)[2]


def test_a_tool_that_declares_headers_wrongly_is_left_out_of_lists(gateway: Running) -> None:
    """P6.5, E63: one bad tool must not cost the list, and the log says which and why."""
    tools = [tool["name"] for tool in gateway.modern("tools/list")[2]["result"]["tools"]]
    assert ("route_payment" in tools, "route_wrongly" in tools) == (True, False)
    assert (gateway.folder / "stderr").read_text().count("bank/route_wrongly is left out") == 1
