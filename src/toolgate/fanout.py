"""Asking every server behind a door at once, each with its own deadline. No policy, no client's words.

A dead or slow server costs a bounded wait and its own entries, never the others' (E53).
"""

import asyncio
import contextlib
import logging
import math
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar
from weakref import WeakKeyDictionary

from msgspec import Raw, Struct

from toolgate.catalog import lists as views
from toolgate.catalog.lists import Listed, Lists
from toolgate.errors import INVALID_PARAMS, METHOD_NOT_FOUND, Refusal
from toolgate.model import Call, Principal, Reply, Session
from toolgate.ports import Clock, Opened, Outbound, Upstream
from toolgate.protocol import bridge, jsonrpc, merge
from toolgate.protocol.merge import Entry, Page
from toolgate.protocol.methods import METHODS
from toolgate.routing.table import Door

_log = logging.getLogger("toolgate.catalog")

LIST_SECONDS = 10.0
"""How long a list waits for a slow server before it is left out."""
MAX_PAGES = 100
MAX_ENTRIES = 10_000
"""Of one server's list; what comes beyond is left out, and told (E52)."""
PASSED_ON = frozenset({"notifications/roots/list_changed"})
"""Notifications of clients that every server of the session is told."""

Ask = Callable[[Upstream, str | None], Awaitable[bytes]]
"""Asks one server, optionally for the page at a cursor; the result as JSON. Raises `Refusal`."""

_T = TypeVar("_T")


class Answered(Exception):
    """The server answered with a JSON-RPC error."""

    def __init__(self, code: int) -> None:
        super().__init__(f"answered with error {code}")
        self.code = code


class Patience:
    """How long servers are waited for. Who made everybody wait in vain is not waited for again at once (E53)."""

    FIRST_PAUSE = 5.0
    LONGEST_PAUSE = 60.0

    def __init__(self, clock: Clock = time.monotonic, seconds: float = LIST_SECONDS) -> None:
        self.seconds = seconds
        self._clock = clock
        self._slow: WeakKeyDictionary[Upstream, tuple[float, float]] = WeakKeyDictionary()

    def spent(self, upstream: Upstream) -> bool:
        """Whether it was too slow a moment ago."""
        return self._slow.get(upstream, (0.0, 0.0))[0] > self._clock()

    def slow(self, upstream: Upstream) -> None:
        """It did not answer in time, this time."""
        pause = self._slow.get(upstream, (0.0, self.FIRST_PAUSE / 2))[1]
        pause = min(pause * 2, self.LONGEST_PAUSE)
        self._slow[upstream] = (self._clock() + pause, pause)

    def answered(self, upstream: Upstream) -> None:
        """It did."""
        self._slow.pop(upstream, None)


class Found(Struct, frozen=True, eq=False):
    """The lists of every server behind a door."""

    lists: dict[str, Listed]
    missing: dict[str, str]
    """Servers whose entries are not in it, or not all, and why."""
    seconds: float
    """How long all of it holds."""


async def lists(
    door: Door, call: Call, principal: Principal, ask: Ask, patience: Patience, remembered: Lists
) -> Found:
    """Each server's whole list, and why the others are missing.

    Behind the door of a single server its failure is raised instead.
    """

    async def fetch(upstream: Upstream) -> Listed:
        try:
            async with asyncio.timeout(patience.seconds):
                return await _drain(upstream, call, ask, door.list_seconds.get(upstream.name, 0.0))
        except TimeoutError:
            raise _late(patience) from None
        except Answered as answered:
            # A server without prompts, say, has an empty list of them; old ones answer -32602 (E89).
            if answered.code in (METHOD_NOT_FOUND, INVALID_PARAMS):
                return Listed([], {})
            raise

    async def one(upstream: Upstream) -> tuple[Listed, float]:
        view = views.view(upstream, call, principal)
        if view is None:
            return await fetch(upstream), 0.0
        return await remembered.get(view, lambda: fetch(upstream))

    found, missing = await _all(door, one, patience)
    for name, (listed, _) in found.items():
        if not listed.whole:
            missing[name] = "too_many_entries"
    seconds = min((left for _, left in found.values()), default=0.0)
    return Found({name: listed for name, (listed, _) in found.items()}, missing, seconds)


async def _drain(upstream: Upstream, call: Call, ask: Ask, otherwise: float) -> Listed:
    """Page by page to the end. `otherwise` is how long a list holds whose server does not say."""
    method = METHODS[call.method]
    entries: list[Entry] = []
    first: Page | None = None
    seconds, public, cursor, seen = math.inf, True, None, set[str]()
    while True:
        try:
            page = merge.page(Raw(await ask(upstream, cursor)), method)
        except ValueError as error:
            raise bridge.lie(f"not a list: {error}") from None
        first = first or page
        entries.extend(page.entries)
        seconds, public = min(seconds, page.seconds), public and page.public
        cursor = page.cursor
        # A cursor that comes back would be walked for ever; only an absent one ends a list (E52).
        whole = cursor is None or cursor in seen
        if whole or len(seen) >= MAX_PAGES - 1 or len(entries) > MAX_ENTRIES:
            break
        assert cursor is not None
        seen.add(cursor)
    whole = whole and len(entries) <= MAX_ENTRIES
    kept = merge.first_of_each(entries[:MAX_ENTRIES])
    if len(kept) < min(len(entries), MAX_ENTRIES):
        _log.warning("%s: %s has a name twice; the first is kept", upstream.name, call.method)
    if len({entry.name.casefold() for entry in kept}) < len(kept):
        _log.warning("%s: %s has names that differ only in case", upstream.name, call.method)
    return Listed(kept, first.rest, seconds or otherwise, public and seconds > 0, whole)


async def results(door: Door, ask: Ask, patience: Patience) -> tuple[dict[str, bytes], dict[str, str]]:
    """Each server's result of one request."""
    return await _all(door, lambda upstream: ask(upstream, None), patience)


async def openings(
    door: Door, session: Session, principal: Principal, patience: Patience
) -> tuple[dict[str, Opened], dict[str, str]]:
    """Each server's side of a new session. A server that is late shakes hands at its first call."""
    return await _all(door, lambda upstream: upstream.initialize(session, principal), patience)


async def _all(
    door: Door, ask: Callable[[Upstream], Awaitable[_T]], patience: Patience
) -> tuple[dict[str, _T], dict[str, str]]:
    async def one(upstream: Upstream) -> _T | Refusal:
        if door.shared and patience.spent(upstream):
            return Refusal.timeout("too slow a moment ago")
        try:
            async with asyncio.timeout(patience.seconds):
                answer = await ask(upstream)
        except TimeoutError:
            patience.slow(upstream)
            return _late(patience)
        except Answered as answered:
            return Refusal.upstream("upstream_error", str(answered))
        except Refusal as refusal:
            if refusal.kind == "upstream_timeout":
                patience.slow(upstream)
            return refusal
        patience.answered(upstream)
        return answer

    answers = await asyncio.gather(*(one(upstream) for upstream in door.servers.values()))
    found: dict[str, _T] = {}
    missing: dict[str, str] = {}
    for name, answer in zip(door.servers, answers, strict=True):
        if not isinstance(answer, Refusal):
            found[name] = answer
        elif door.shared:
            missing[name] = answer.kind
        else:
            raise answer
    return found, missing


def _late(patience: Patience) -> Refusal:
    return Refusal.timeout(f"no answer within {patience.seconds:g} s")


async def tell(door: Door, out: Outbound) -> None:
    """Tell every server; one that cannot be told is left out."""

    async def one(upstream: Upstream) -> None:
        with contextlib.suppress(Refusal):
            await upstream.send(out)

    await asyncio.gather(*(one(upstream) for upstream in door.servers.values()))


async def result_of(reply: Reply, number: int) -> bytes:
    """The result in the reply to one of our own requests, an object.

    Raises `Answered` for an error and `Refusal` for a lie.
    """
    if reply.stream is None:
        assert reply.message is not None
        return _result(bridge.fields(reply.message), number)
    try:
        async for message in reply.stream:
            parts = bridge.fields(message)
            if "method" not in parts:
                return _result(parts, number)
    finally:
        await reply.stream.aclose()
    raise bridge.lie("no answer in the stream")


def _result(parts: dict[str, Raw], number: int) -> bytes:
    if "error" in parts:
        raise Answered(jsonrpc.error_code(parts["error"]) or 0)
    if "result" not in parts or bytes(parts.get("id", b"")) != b"%d" % number:
        raise bridge.lie("no result with our id")
    bridge.fields(parts["result"])
    return bytes(parts["result"])


def described(missing: dict[str, str]) -> str | None:
    """For the record: which servers are missing from an answer, and why."""
    if not missing:
        return None
    return "missing: " + ", ".join(f"{name} ({why})" for name, why in missing.items())
