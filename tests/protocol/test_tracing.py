"""W3C Trace Context, level 2, as the gateway carries it on."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolgate.protocol.tracing import Trace, carried, headers, incoming, read, sampled

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
RECORD = "01a21203-3600-7083-881c-bd4f3a9ecd01"


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "nonsense",
        PARENT.upper(),
        PARENT.replace("00-", "ff-", 1),
        PARENT + "-more",
        PARENT[:-1],
        "00-" + "0" * 32 + PARENT[35:],
        PARENT[:36] + "0" * 16 + "-01",
    ],
)
def test_what_the_specification_says_to_ignore_is_ignored(text):
    assert read(text) is None
    assert Trace.of(RECORD, text).parent is None


def test_a_later_version_is_read_as_far_as_it_is_known():
    assert read("cc" + PARENT[2:] + "-later") == (PARENT[3:35], PARENT[36:52], 1)


def test_the_meta_goes_before_the_header():
    """E82: and what is no trace context is dropped without a word."""
    other = PARENT.replace("0af", "1af")
    assert incoming({"_meta": {"traceparent": PARENT}}, other) == PARENT
    assert incoming({"_meta": {"traceparent": 7}}, other) == other
    assert incoming({"_meta": []}, None) is None
    assert incoming({}, PARENT[:-1]) is None


def test_the_next_hop_is_below_our_client_span_or_our_server_span():
    trace = Trace.of(RECORD, PARENT)
    assert trace.onward(0.0, one_server=True) == f"00-{PARENT[3:35]}-{trace.client_span}-01"
    assert trace.onward(0.0, one_server=False) == f"00-{PARENT[3:35]}-{trace.server_span}-01"
    assert len({trace.parent, trace.server_span, trace.client_span}) == 3
    assert read(trace.onward(0.0, one_server=True))


@given(share=st.floats(0, 1), bits=st.integers(0, 2**74 - 1))
def test_everybody_who_sees_a_trace_decides_the_same(share, bits):
    record = f"01a21203-3600-7{bits >> 62:03x}-{0x8000 | (bits >> 48) & 0x3FFF:04x}-{bits & (2**48 - 1):012x}"
    first = Trace.of(record, None)
    again = Trace.of("01a21203-3600-7083-881c-bd4f3a9ecd02", first.onward(share, one_server=True))
    assert sampled(first, share) == sampled(again, 1 - share)


def test_a_share_keeps_that_share():
    kept = sum(
        sampled(Trace.of(f"{RECORD[:18]}-8{n % 4096:03x}-{(n * 0x9E3779B97F4A) % 2**48:012x}", None), 0.1)
        for n in range(5000)
    )
    assert 350 < kept < 650


@pytest.mark.parametrize(
    "params",
    [
        None,
        {},
        {"name": "x"},
        {"_meta": {}},
        {"_meta": {"traceparent": "old", "tracestate": "a=1", "own": 1e2}},
    ],
)
def test_a_request_carries_the_context_and_all_else_as_it_was(params):
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call"} | (
        {} if params is None else {"params": params}
    )
    found = json.loads(carried(json.dumps(message).encode(), PARENT, "b=2"))
    known = (params or {}).get("_meta", {})
    wanted = {**known, "traceparent": PARENT, "tracestate": known.get("tracestate", "b=2")}
    assert found == {**message, "params": {**(params or {}), "_meta": wanted}}


def test_headers_say_the_same():
    assert headers(PARENT, "b=2") == ((b"traceparent", PARENT.encode()), (b"tracestate", b"b=2"))
    assert headers(PARENT, "x" * 513) == ((b"traceparent", PARENT.encode()),)
