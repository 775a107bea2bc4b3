import hashlib
import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ledger_support import record

from toolgate.ledger.chain import MAX_RECORD, ORIGIN, Broken, Head, check, encode, link, parse, record_of


def chain(count: int) -> list[bytes]:
    head, made = ORIGIN, []
    for number in range(count):
        line, head = link(head, encode(record(number)))
        made.append(line)
    return made


def follow(lines: list[bytes]) -> Head:
    head = ORIGIN
    for line in lines:
        head = check(head, line)
    return head


def test_a_line_is_one_json_object_with_the_record_inside():
    (line,) = chain(1)
    read = json.loads(line)
    assert list(read) == ["seq", "prev", "record", "hash"]
    assert read["record"]["id"] == "call-0"
    assert line.endswith(b"}\n")
    assert line.count(b"\n") == 1


def test_the_hash_is_that_of_all_bytes_before_it():
    """So that `head -c -76 line | sha256sum` checks a line without our code."""
    (line,) = chain(1)
    assert json.loads(line)["hash"] == hashlib.sha256(line[:-76]).hexdigest()


def test_an_intact_chain_is_followed_to_its_head():
    made = chain(3)
    assert follow(made) == Head(3, json.loads(made[-1])["hash"])


@given(data=st.data())
def test_a_line_changed_by_one_byte_is_found(data):
    made = chain(2)
    index = data.draw(st.integers(0, len(made[1]) - 1))
    changed = bytearray(made[1])
    changed[index] ^= data.draw(st.integers(1, 255))
    with pytest.raises(Broken):
        follow([made[0], bytes(changed)])


@pytest.mark.parametrize(
    ("order", "says"),
    [
        ([0, 2], "Records 2 to 2 are missing before record 3."),
        ([0, 1, 1], "Record 2 stands behind record 2"),
        ([1], "Records 1 to 1 are missing before record 2."),
        ([0, 2, 1], "Records 2 to 2 are missing"),
    ],
)
def test_removed_doubled_and_moved_lines_are_told_apart(order, says):
    made = chain(3)
    with pytest.raises(Broken, match=says):
        follow([made[index] for index in order])


def test_a_changed_record_is_called_changed():
    (line,) = chain(1)
    with pytest.raises(Broken, match="Record 1 was changed after it was written"):
        check(ORIGIN, line.replace(b"closing", b"opening"))


def test_a_line_forged_with_a_fitting_hash_breaks_the_next_one():
    made = chain(2)
    forged, _ = link(ORIGIN, encode(record(7)))
    with pytest.raises(Broken, match="Record 2 does not follow the record before it"):
        follow([forged, made[1]])


@pytest.mark.parametrize("text", [b"", b"\n", b"{}\n", b"x" * 200 + b"\n"])
def test_what_is_no_line_is_called_so(text):
    assert parse(text) is None
    with pytest.raises(Broken, match="not a line of a ledger"):
        check(ORIGIN, text)


def test_a_line_says_what_it_follows_and_what_it_is():
    first, second = chain(2)
    link_ = parse(second)
    assert link_ is not None
    assert link_.after == check(ORIGIN, first)
    assert link_.head == follow([first, second])
    assert record_of(second) == encode(record(1))


def test_a_head_is_read_as_it_is_printed():
    head = follow(chain(2))
    assert Head.parse(str(head)) == head


@pytest.mark.parametrize("text", ["", "1", "1:abc", "01:" + "a" * 64, "1:" + "A" * 64, "-1:" + "a" * 64])
def test_another_head_is_refused(text):
    with pytest.raises(ValueError, match="SEQ:HASH"):
        Head.parse(text)


def test_a_record_is_written_in_the_order_of_its_fields():
    assert list(json.loads(encode(record(agent="a", detail="d", code=3)))) == [
        "id", "ts", "method", "agent", "server", "target", "code", "detail",
    ]  # fmt: skip


def test_newlines_of_a_client_do_not_get_into_a_line():
    data = encode(record(arguments=msgspec.Raw(b'{"a":\n [1,\n "\\n"]}')))
    assert b"\n" not in data
    assert json.loads(data)["arguments"] == {"a": [1, "\n"]}


@pytest.mark.parametrize("arguments", ["\ud800", object(), {1j: 2}, msgspec.Raw(b'{"a":"\xff\n"}')])
def test_what_is_no_json_is_refused(arguments):
    with pytest.raises(ValueError, match=r"no JSON|surrogates|malformed"):
        encode(record(arguments=arguments))


def test_arguments_nested_too_deep_are_refused():
    deep: list = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(ValueError, match="no JSON"):
        encode(record(arguments=deep))


def test_a_record_too_large_for_a_reader_is_refused():
    with pytest.raises(ValueError, match="are allowed"):
        encode(record(arguments="x" * MAX_RECORD))
