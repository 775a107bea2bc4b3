"""Only the group of a child is ever signalled."""

import logging
import os
import signal

import pytest

from toolgate.upstreams.child import Child


async def test_a_child_that_is_not_known_yet_is_not_taken_for_our_own_group(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    signalled: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "killpg", lambda group, number: signalled.append((group, number)))
    child = Child(1024, logging.getLogger("test"), lambda line: None, lambda reason: None)
    child._signal(signal.SIGKILL)
    assert signalled == []
