"""What is not a rate: the time to the first governed call, memory of many sessions, reloads under load."""

import os
import statistics
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench import client, load, messages, policies, targets
from bench.client import WrongAnswerError
from bench.messages import Endpoint

_PATIENCE = 10.0
"""Seconds until a changed policy must have taken effect."""


def start(folder: Path, times: int, tell: Callable[[str], None]) -> dict[str, Any]:
    """Seconds from starting the process to the first governed call answered, each time in an empty folder."""
    seconds = []
    with targets.upstream(folder) as behind:
        for number in range(times):
            tell(f"start {number + 1} of {times}")
            own = folder / f"start-{number}"
            own.mkdir()
            with targets.governed(own, behind.endpoint.port) as started:
                client.verify(started.endpoint)
                seconds.append(round(time.monotonic() - started.tree.began, 3))
    return {"median_seconds": round(statistics.median(seconds), 3), "seconds": seconds}


def sessions(folder: Path, count: int, tell: Callable[[str], None]) -> dict[str, Any]:
    """Memory of the governed gateway before and after `count` sessions were opened and none was closed."""
    own = folder / "sessions"
    own.mkdir()
    tell(f"{count} sessions")
    with targets.upstream(folder) as behind, targets.governed(own, behind.endpoint.port) as started:
        endpoint = replace(started.endpoint, revision=messages.SESSIONS)
        last = client.ready(endpoint)
        before = started.tree.memory()
        with client.connect(endpoint) as one:
            for _ in range(count):
                last = one.initialize()
        client.verify(last)
        after = started.tree.memory()
    return {
        "sessions": count,
        "rss_mb_before": round(before.rss / 1e6, 1),
        "rss_mb": round(after.rss / 1e6, 1),
        "pss_mb": round(after.pss / 1e6, 1),
    }


def streams(folder: Path, count: int, tell: Callable[[str], None]) -> dict[str, Any]:
    """Memory of the governed gateway before and after `count` sessions opened a stream each and nothing was said."""
    own = folder / "streams"
    own.mkdir()
    tell(f"{count} streams")
    with (
        targets.upstream(folder) as behind,
        targets.governed(own, behind.endpoint.port) as started,
        ExitStack() as open_ones,
    ):
        endpoint = replace(started.endpoint, revision=messages.SESSIONS)
        with client.connect(endpoint) as one:
            opened = [one.initialize() for _ in range(count)]
        before = started.tree.memory()
        for session in opened:
            open_ones.enter_context(client.connect(session)).listen()
        after = started.tree.memory()
        client.verify(opened[-1])
    return {
        "streams": count,
        "rss_mb_before": round(before.rss / 1e6, 1),
        "rss_mb": round(after.rss / 1e6, 1),
        "kb_each": round((after.rss - before.rss) / count / 1e3, 1),
    }


def reload(folder: Path, times: int, tell: Callable[[str], None]) -> dict[str, Any]:
    """Rewrite the policy `times` times under load, each time waiting until it holds. Every call must be answered right.

    What changes is whether the caller may use `tool_001`; the calls of the load are allowed throughout. Raises
    `LoadError` if a single one of them was not.
    """
    own = folder / "reload"
    own.mkdir()
    with targets.upstream(folder) as behind, targets.governed(own, behind.endpoint.port) as started:
        client.verify(started.endpoint)
        other = replace(started.endpoint, tool="tool_001")
        with ThreadPoolExecutor(1) as pool:
            running = pool.submit(
                load.run, started.endpoint, 16, 5 + times * 0.6, targets.LOAD_CORE, read=True
            )
            tell(f"{times} reloads under load")
            seconds = _rewrite(own / "policy.yaml", times, other, running)
            seen = running.result()
    return {
        "reloads": times,
        "calls_all_answered_right": seen.calls,
        "median_seconds_to_effect": round(statistics.median(seconds), 3),
        "p99_us": seen.p99_us,
    }


def _rewrite(file: Path, times: int, other: Endpoint, running: Future[load.Load]) -> list[float]:
    """Seconds each change took to hold."""
    seconds = []
    time.sleep(1.0)
    for number in range(times):
        effect = "deny" if number % 2 == 0 else "allow"
        fresh = file.with_suffix(".new")
        fresh.write_text(policies.rules(100, effect))
        began = time.monotonic()
        os.replace(fresh, file)
        while _is_allowed(other) != (effect == "allow"):
            if time.monotonic() - began > _PATIENCE:
                raise load.LoadError(f"rewrite {number + 1} had no effect within {_PATIENCE:.0f} s")
        seconds.append(time.monotonic() - began)
        if running.done():
            raise load.LoadError(f"the load ended at rewrite {number + 1} of {times}: {running.exception()}")
    return seconds


def _is_allowed(endpoint: Endpoint) -> bool:
    try:
        client.verify(endpoint)
    except WrongAnswerError:
        return False
    return True
