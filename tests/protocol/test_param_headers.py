"""Arguments repeated in headers, judged by the official SDK's own reading."""

from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from mcp.shared.inbound import (
    find_invalid_x_mcp_header,
    mcp_param_headers,
    validate_mcp_param_headers,
    x_mcp_header_map,
)

from toolgate.errors import HEADER_MISMATCH, Refusal
from toolgate.protocol import param_headers

_annotation = st.sampled_from(["Region", "region", "A-b", "", "not a token", "ü", 7])
_leaf = st.fixed_dictionaries(
    {"type": st.sampled_from(["string", "integer", "boolean", "number", "array"])},
    optional={"x-mcp-header": _annotation},
)


def _grown(children: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    names = st.sampled_from(["a", "b", "x-mcp-header"])
    properties = st.dictionaries(names, children, max_size=3)
    parts = {"items": children, "anyOf": st.lists(children, max_size=2), "properties": properties}
    return st.fixed_dictionaries({"type": st.just("object")}, optional=parts)


_schema = _grown(st.recursive(_leaf, _grown, max_leaves=6))


@given(_schema)
def test_a_schema_is_usable_where_the_sdk_finds_it_so(schema: dict[str, Any]) -> None:
    """E63: invalid annotations make the tool unusable, and nothing else does."""
    found = param_headers.declared(schema)
    assert (found is None) == (find_invalid_x_mcp_header(schema) is not None)
    if found is not None:
        assert {path: name for name, path in found.items()} == x_mcp_header_map(schema)


_value = st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text("aü =?\n", max_size=8)


@given(
    st.dictionaries(st.sampled_from(["a", "b"]), _value | st.fixed_dictionaries({"c": _value}), max_size=2)
)
def test_headers_are_what_the_sdk_would_send(arguments: dict[str, Any]) -> None:
    """E12: text that is no header value travels in base64; absent and null are left out."""
    declared = {"One": ("a",), "Two": ("b", "c")}
    theirs = mcp_param_headers({path: name for name, path in declared.items()}, arguments)
    ours = {name.decode(): value.decode() for name, value in param_headers.written(declared, arguments)}
    assert ours == {name.lower(): value for name, value in theirs.items()}


@pytest.mark.parametrize("value", [2**53, 1.5, [], {"d": 1}])
def test_what_no_header_can_carry_is_left_out(value: object) -> None:
    assert param_headers.written({"One": ("a",)}, {"a": value}) == ()


_argument = _value | st.floats(allow_nan=False, allow_infinity=False) | st.lists(st.none(), max_size=1)
_sent = st.text("eu42.0-", max_size=4) | st.sampled_from(["true", "=?base64?ZXU=?=", "=?base64?!?=", "1e3"])
_schema_of_two = {
    "properties": {
        "a": {"type": "integer", "x-mcp-header": "One"},
        "b": {"properties": {"c": {"type": "string", "x-mcp-header": "Two"}}},
    }
}


@given(
    st.fixed_dictionaries({}, optional={"a": _argument, "b": st.fixed_dictionaries({"c": _argument})}),
    st.fixed_dictionaries({}, optional={"mcp-param-one": _sent, "mcp-param-two": _sent}),
    st.booleans(),
)
def test_a_call_is_refused_where_the_sdk_refuses_it(
    arguments: dict[str, Any], headers: dict[str, str], honest: bool
) -> None:
    """E17: header against body, missing, without argument, twice, and in broken base64."""
    number = isinstance((arguments.get("b") or {}).get("c"), int | float)
    assume(not number)  # A number where the schema asks for text: the SDK compares letters, we numbers.
    if honest:
        right = {name.decode(): value.decode() for name, value in param_headers.written(DECLARED, arguments)}
        headers = {**right, **headers}
    theirs = validate_mcp_param_headers(_schema_of_two, arguments, headers)
    try:
        pairs = [(name.encode(), value.encode()) for name, value in headers.items()]
        param_headers.check(DECLARED, pairs, arguments)
        ours = None
    except Refusal as refusal:
        ours = refusal.code
    assert ours == (None if theirs is None else HEADER_MISMATCH)


DECLARED = {"One": ("a",), "Two": ("b", "c")}


def test_a_declared_header_that_stands_twice_is_refused() -> None:
    """E13: first copy and last copy would be believed by different readers."""
    twice = [(b"mcp-param-one", b"1"), (b"mcp-param-one", b"1")]
    with pytest.raises(Refusal):
        param_headers.check(DECLARED, twice, {"a": 1})


def test_large_integers_are_compared_to_the_last_digit() -> None:
    with pytest.raises(Refusal):
        param_headers.check(DECLARED, [(b"mcp-param-one", b"9007199254740993")], {"a": 9007199254740992})
