"""What a stateless server says, in the words of older revisions."""

import json
from typing import Any

import pytest

from toolgate.model import Session
from toolgate.protocol import bridge, to_stateless

LINK = {"type": "resource_link", "uri": "file:///a", "name": "a"}
SOUND = {"type": "audio", "data": "AAAA", "mimeType": "audio/wav"}
NEW = {"type": "com.example/hologram", "x": 12345678901234567890123}


def said(result: dict[str, Any], method: str, revision: str) -> dict[str, Any]:
    """The result as a client of this revision gets it."""
    parts = bridge.fields(json.dumps({"jsonrpc": "2.0", "id": 1, "result": result}).encode())
    return dict(json.loads(to_stateless.response(parts, method, revision))["result"])


@pytest.mark.parametrize(
    ("revision", "kinds"),
    [
        ("2025-11-25", ["resource_link", "audio", "com.example/hologram"]),
        ("2025-06-18", ["resource_link", "audio", "com.example/hologram"]),
        ("2025-03-26", ["text", "audio", "com.example/hologram"]),
        ("2024-11-05", ["text", "text", "com.example/hologram"]),
    ],
)
def test_content_a_revision_has_not_becomes_text_and_the_rest_stays(revision: str, kinds: list[str]) -> None:
    """E11, 20.8: for tools and prompts alike."""
    content = said({"content": [LINK, SOUND, NEW]}, "tools/call", revision)["content"]
    assert [block["type"] for block in content] == kinds
    assert content[2] == NEW
    messages = [{"role": "user", "content": block} for block in (LINK, SOUND, NEW)]
    prompt = said({"messages": messages}, "prompts/get", revision)["messages"]
    assert [one["content"]["type"] for one in prompt] == kinds


@pytest.mark.parametrize(("value", "kept"), [({"a": 1}, True), ([1], False), ("text", False), (None, False)])
def test_structured_content_is_an_object_or_is_left_out(value: Any, kept: bool) -> None:
    """20.8."""
    result = said({"content": [], "structuredContent": value}, "tools/call", "2025-11-25")
    assert ("structuredContent" in result) is kept


@pytest.mark.parametrize(
    ("schema", "kept"), [({"type": "object", "x-own": 1}, True), ({"type": "array"}, False), (True, False)]
)
def test_an_output_schema_is_of_an_object_or_is_left_out(schema: Any, kept: bool) -> None:
    """20.8: one tool of another shape does not cost the list."""
    tool = {"name": "t", "inputSchema": {"type": "object"}, "outputSchema": schema}
    (listed,) = said({"tools": [tool]}, "tools/list", "2025-11-25")["tools"]
    assert ("outputSchema" in listed) is kept
    assert listed["inputSchema"] == {"type": "object"}


@pytest.mark.parametrize("code", [-32020, -32021, -32022])
def test_errors_about_our_own_envelope_are_not_the_clients(code: int) -> None:
    """E25."""
    error = {"code": code, "message": "m", "data": {"supported": ["2099-01-01"]}}
    parts = bridge.fields(json.dumps({"jsonrpc": "2.0", "id": 1, "error": error}).encode())
    answer = json.loads(to_stateless.response(parts, "tools/call", "2025-11-25"))["error"]
    assert answer["code"] == -32603
    assert "data" not in answer


@pytest.mark.parametrize(
    ("revision", "declared", "written"),
    [
        ("2025-11-25", {"elicitation": {"url": {}}}, {"elicitation": {"url": {}}}),
        ("2025-06-18", {"elicitation": {"url": {}}}, {"elicitation": {"form": {}}}),
        ("2025-03-26", {"elicitation": {}}, {}),
        ("2025-06-18", {"sampling": {"tools": {}}}, {"sampling": {}}),
        ("2025-11-25", {"roots": {"listChanged": True}}, {"roots": {}}),
        ("2025-11-25", {"tasks": {"list": {}}}, {}),
        ("2025-11-25", {"extensions": {"io.modelcontextprotocol/ui": {"a": 1}}}, None),
        ("2025-11-25", {"extensions": {"io.modelcontextprotocol/tasks": {}}}, {}),
        ("2025-11-25", {"sampling": True}, {}),
    ],
)
def test_a_server_is_told_what_the_clients_revision_can_do(
    revision: str, declared: dict[str, Any], written: dict[str, Any] | None
) -> None:
    """20.8: more than the client can do would make the server ask for it."""
    session = Session("s", "p", revision, declared, {}, 0.0)
    assert to_stateless.capabilities(session) == (declared if written is None else written)
