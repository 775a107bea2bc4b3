"""Framing by newlines."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolgate.protocol.lines import Lines, LineTooLong, pack


def read(chunks: list[bytes], limit: int) -> tuple[list[bytes], bool]:
    """The lines, and whether the stream broke the bound after them."""
    lines, found = Lines(limit), []
    try:
        for chunk in chunks:
            for line in lines.feed(chunk):
                found.append(line)  # noqa: PERF402 - what came before an error counts
    except LineTooLong:
        return found, True
    return found, False


@st.composite
def cut(draw: st.DrawFn) -> tuple[bytes, list[bytes]]:
    text = b"".join(draw(st.lists(st.sampled_from([b"{}", b"\n", b"\r", b"\r\n", b"\xc3\xa9", b"x" * 9]))))
    at = sorted(draw(st.lists(st.integers(0, len(text)))))
    return text, [text[a:b] for a, b in zip([0, *at], [*at, len(text)], strict=True)]


@given(cut(), st.integers(1, 30))
def test_any_chunking_gives_the_same_lines_and_the_same_end(
    case: tuple[bytes, list[bytes]], limit: int
) -> None:
    text, chunks = case
    assert read(chunks, limit) == read([text], limit)


@given(st.lists(st.binary(min_size=1).filter(lambda line: b"\n" not in line and b"\r" not in line)))
def test_what_is_packed_comes_out_again(texts: list[bytes]) -> None:
    assert read([b"".join(pack(text) for text in texts)], 1000) == (texts, False)


def test_an_unfinished_line_is_kept_back() -> None:
    lines = Lines()
    assert list(lines.feed(b'{"id"')) == []
    assert list(lines.feed(b':1}\n{"id"')) == [b'{"id":1}']


def test_empty_lines_and_carriage_returns_are_no_part_of_a_message() -> None:
    assert list(Lines().feed(b"\n\r\n{}\r\n\n")) == [b"{}"]


def test_other_line_ends_of_unicode_do_not_end_a_line() -> None:
    line = '"\u2028\u2029\x85\x0b\x0c"'.encode()
    assert list(Lines().feed(line + b"\n")) == [line]


def test_an_endless_line_is_found_before_it_ends() -> None:
    lines = Lines(limit=10)
    assert list(lines.feed(b"x" * 10)) == []
    with pytest.raises(LineTooLong, match="longer than 10 bytes"):
        list(lines.feed(b"x"))


def test_lines_before_an_endless_one_are_still_read() -> None:
    assert read([b"one\n" + b"x" * 11], 10) == ([b"one"], True)


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_a_message_cannot_carry_a_second_one_behind_it(end: bytes) -> None:
    """A client's line break between two tokens would start a message that no policy has seen."""
    packed = pack(b'{"id":1,' + end + b'"method":"a"}' + end)
    assert packed.count(b"\n") == 1
    assert b"\r" not in packed
    assert packed.endswith(b"\n")
