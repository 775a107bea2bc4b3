"""What a server with sessions says, in the words of 2026-07-28."""

import json

import pytest

from toolgate.errors import Refusal
from toolgate.protocol import asking, bridge, to_sessions


def said(answer: str, method: str = "resources/read") -> dict[str, object]:
    """The response as a stateless client gets it."""
    parts = bridge.fields(b'{"jsonrpc":"2.0","id":1,%b}' % answer.encode())
    return dict(json.loads(to_sessions.response(parts, method, "x://y")))


@pytest.mark.parametrize(
    ("code", "told"), [(-32002, -32602), (-32042, -32603), (-32021, -32603), (-32000, -32000), (7, 7)]
)
def test_codes_that_a_stateless_server_may_not_give_are_not_given(code: int, told: int) -> None:
    """8: the reserved range is the specification's; everything else is the server's own."""
    answer = said('"error":' + json.dumps({"code": code, "message": "m", "data": {"x": 1}}))
    assert answer["error"] == {"code": told, "message": "m", "data": {"x": 1}}


def test_what_nobody_knows_passes_as_it_is() -> None:
    """E10, E11."""
    parts = bridge.fields(
        b'{"jsonrpc":"2.0","id":1,"x":[1e2],"result":{"n":12345678901234567890123,"m":1.10}}'
    )
    answer = to_sessions.response(parts, "tools/call", "t")
    assert b'"x":[1e2]' in answer
    assert b'"n":12345678901234567890123' in answer
    assert b'"m":1.10' in answer


@pytest.mark.parametrize(
    ("capabilities", "method", "params", "needed"),
    [
        ({"elicitation": {}}, "elicitation/create", "{}", None),
        ({"elicitation": {}}, "elicitation/create", '{"mode":"url"}', {"elicitation": {"url": {}}}),
        ({"elicitation": {"url": {}}}, "elicitation/create", "{}", {"elicitation": {"form": {}}}),
        ({"sampling": {}}, "sampling/createMessage", '{"tools":[]}', {"sampling": {"tools": {}}}),
        ({"sampling": {"tools": {}}}, "sampling/createMessage", '{"tools":[]}', None),
        ({}, "roots/list", "{}", {"roots": {}}),
    ],
)
def test_a_mode_must_be_declared_as_well(
    capabilities: dict[str, object], method: str, params: str, needed: dict[str, object] | None
) -> None:
    """E67."""
    raw = bridge.fields(b'{"p":%b}' % params.encode())["p"]
    assert asking.undeclared(method, raw, capabilities) == needed


def test_a_question_that_no_revision_knows_is_a_fault_of_the_server() -> None:
    with pytest.raises(Refusal):
        asking.undeclared("com.example/ask", bridge.fields(b'{"p":{}}')["p"], {})


@pytest.mark.parametrize(
    ("error", "told"),
    [
        ('{"code":-32002,"message":"m"}', {"code": -32602, "message": "m", "data": {"uri": "x://y"}}),
        ('{"code":-32002,"message":"m","data":1}', {"code": -32602, "message": "m", "data": 1}),
        (
            '{"code":0,"message":"Unknown resource: x://y"}',
            {"code": -32602, "message": "Unknown resource: x://y", "data": {"uri": "x://y"}},
        ),
        ('{"code":0,"message":"boom"}', {"code": -32603, "message": "boom"}),
    ],
)
def test_a_missing_resource_is_told_as_2026_tells_it(error: str, told: dict[str, object]) -> None:
    """E89, 9.4: old servers have a code of their own, or none."""
    assert said('"error":' + error)["error"] == told
