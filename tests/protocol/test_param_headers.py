"""Arguments repeated in headers, judged by the official SDK's own reading."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mcp.shared.inbound import find_invalid_x_mcp_header, mcp_param_headers, x_mcp_header_map

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
