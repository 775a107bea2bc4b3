"""What children say on stderr."""

import logging

import pytest

from toolgate.upstreams.stderr import KEPT, LONGEST, Stderr

LOG = logging.getLogger("toolgate.upstream.test")


@pytest.fixture(autouse=True)
def _info(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", LOG.name)


def test_lines_are_logged_whole_however_they_are_cut(caplog: pytest.LogCaptureFixture) -> None:
    stderr = Stderr(LOG)
    for chunk in (b"on", b"e\ntw", b"o\n\nthr", b"ee"):
        stderr.feed(chunk)
    assert [record.getMessage() for record in caplog.records] == ["one", "two"]
    assert stderr.last() == "three"


def test_a_line_without_end_takes_no_memory() -> None:
    stderr = Stderr(LOG)
    for _ in range(100):
        stderr.feed(b"x" * KEPT)
    assert len(stderr._kept) == KEPT
    assert len(stderr._line) == LONGEST


def test_control_characters_do_not_reach_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """A child must be able neither to forge log lines nor to drive a terminal."""
    Stderr(LOG).feed(b"\x1b[31mred\rINFO forged\xff\n")
    (record,) = caplog.records
    assert "\x1b" not in record.getMessage()
    assert "\r" not in record.getMessage()
