"""Telling whose message a server's line is."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from toolgate.protocol.envelope import Sort, cancelled, progress, read


@pytest.mark.parametrize(
    ("line", "sort", "identity"),
    [
        (b'{"jsonrpc":"2.0","id":7,"result":{}}', Sort.RESPONSE, b"7"),
        (b'{"jsonrpc":"2.0","id":"7","error":{"code":1}}', Sort.RESPONSE, b'"7"'),
        (b'{"id":7,"result":null}', Sort.RESPONSE, b"7"),
        (b'{"jsonrpc":"2.0","id":7,"method":"ping"}', Sort.REQUEST, b"7"),
        (b'{"jsonrpc":"2.0","method":"notifications/x"}', Sort.NOTIFICATION, b""),
        (b'{"id":null,"method":"notifications/x"}', Sort.NOTIFICATION, b""),
        (b'{"id":7}', Sort.BROKEN, b"7"),
        (b'{"id":7,"result":{},"error":{}}', Sort.BROKEN, b"7"),
        (b'{"id":7,"result":"\xff"}', Sort.BROKEN, b"7"),
    ],
)
def test_messages_are_told_apart(line: bytes, sort: Sort, identity: bytes) -> None:
    found = read(line)
    assert found is not None
    assert (found.sort, found.id) == (sort, identity)


@pytest.mark.parametrize(
    "line",
    [
        b"Server started",
        b"[]",
        b"42",
        b"{}",
        b'{"level":"info"}',
        b'{"id":null,"result":{}}',
        b'{"method":7}',
        b'{"method":"\\ud800","x":NaN}',
        b'{"id":1,"result":NaN}',
        b'{"method":"\xff"}',
        b'{"a":' * 5000,
        b'{"a":' * 5000 + b"1" + b"}" * 5000,
        '{"id":1,"result":{}}'.encode("utf-16-le"),
        b'\xef\xbb\xbf{"id":1,"result":{}}',
    ],
)
def test_what_is_no_message_is_said_to_be_none(line: bytes) -> None:
    """E83: junk on stdout; E08 and E09 for what parsers trip over."""
    assert read(line) is None


@given(st.binary(max_size=60))
def test_any_garbage_is_read_without_an_error(line: bytes) -> None:
    read(line)
    read(b'{"id":1,"result":' + line + b"}")


def test_a_text_cut_inside_a_pair_of_surrogates_is_still_an_answer() -> None:
    found = read(b'{"id":5,"result":{"text":"\\ud83d","big":123456789012345678901234567890}}')
    assert found is not None
    assert (found.sort, found.id) == (Sort.RESPONSE, b"5")
    assert json.loads(bytes(found.result))["big"] == 123456789012345678901234567890


def test_an_id_of_any_size_keeps_its_digits() -> None:
    """E02."""
    found = read(b'{"id":%d,"result":{}}' % 2**70)
    assert found is not None
    assert found.id == b"%d" % 2**70


def test_progress_is_read_with_the_type_of_its_token() -> None:
    """E41: `"1"` is not `1`."""
    assert progress(Raw(b'{"progressToken":"1","progress":2,"total":3}')) == (b'"1"', 2.0)
    assert progress(Raw(b'{"progressToken":1,"progress":0.5}')) == (b"1", 0.5)


@pytest.mark.parametrize("params", [b"", b"{}", b"[]", b'{"progressToken":1,"progress":"x"}'])
def test_unreadable_progress_is_none(params: bytes) -> None:
    assert progress(Raw(params)) is None


def test_a_cancellation_names_its_request() -> None:
    assert cancelled(Raw(b'{"requestId":"a","reason":"b"}')) == b'"a"'
    assert cancelled(Raw(b"{}")) is None
