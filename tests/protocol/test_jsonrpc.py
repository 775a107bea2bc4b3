"""Strict reading and faithful splicing of JSON-RPC messages."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from toolgate.errors import Refusal
from toolgate.protocol import jsonrpc, sse

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(codec="utf-8")),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(codec="utf-8")), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(JSON, st.booleans())
def test_what_is_read_is_what_was_written(value: object, spaced: bool) -> None:
    """E10: integers of any size, in any spelling of white space."""
    text = json.dumps(value, ensure_ascii=False) if spaced else json.dumps(value, separators=(",", ":"))
    assert jsonrpc.parse(text.encode()) == value


@given(st.binary(max_size=200))
def test_any_bytes_are_a_value_or_a_refusal(body: bytes) -> None:
    code = None
    try:
        jsonrpc.parse(body)
    except Refusal as refusal:
        code = refusal.code
    assert code in (None, -32700, -32600)


@pytest.mark.parametrize(
    "body", [b'{"a":1,"a":1}', b'{"x":{"a":1,"b":2,"a":1}}', b'{ "a" : 1 , "\\u0061" : 2 }']
)
def test_a_key_that_stands_twice_is_refused(body: bytes) -> None:
    """E07, also where the two are spelled differently."""
    with pytest.raises(Refusal) as refused:
        jsonrpc.parse(body)
    assert refused.value.code == -32600


@pytest.mark.parametrize(("depth", "fine"), [(128, True), (129, False), (100_000, False)])
def test_depth_is_bounded(depth: int, fine: bool) -> None:
    """E08."""
    body = b"[" * depth + b"]" * depth
    if fine:
        jsonrpc.parse(body)
        return
    with pytest.raises(Refusal) as refused:
        jsonrpc.parse(body)
    assert refused.value.code == -32700


@given(st.dictionaries(st.text(st.characters(codec="utf-8")), JSON, min_size=1, max_size=5))
def test_a_splice_leaves_every_other_field_byte_for_byte(value: dict[str, object]) -> None:
    """E11, B6."""
    body = json.dumps(value).encode()
    parts = jsonrpc.fields(body)
    parts["id"] = Raw(b"7")
    again = jsonrpc.fields(jsonrpc.join(parts))
    assert {key: bytes(raw) for key, raw in again.items() if key != "id"} == {
        key: bytes(raw) for key, raw in parts.items() if key != "id"
    }


@given(
    st.lists(st.binary(max_size=40).filter(lambda data: b"\n" not in data and b"\r" not in data), max_size=6),
    st.sampled_from([b"\n", b"\r\n", b"\r"]),
    st.lists(st.integers(1, 7), min_size=1, max_size=10),
)
def test_any_chunking_of_a_stream_gives_the_same_events(
    datas: list[bytes], line_end: bytes, sizes: list[int]
) -> None:
    """E16."""
    stream = b"".join(b": note%bdata: %b%b%b" % (line_end, data, line_end, line_end) for data in datas)
    reader, events, at, turn = sse.Reader(), [], 0, 0
    while at < len(stream):
        size = sizes[turn % len(sizes)]
        events += reader.feed(stream[at : at + size])
        at, turn = at + size, turn + 1
    assert [event.data for event in events] == datas
