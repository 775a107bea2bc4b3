"""Asking every server behind a door at once, each with its own deadline. No policy, no client's words.

A dead or slow server costs a bounded wait and its own entries, never the others' (E53).
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import TypeVar

from msgspec import Raw, Struct

from toolgate.errors import INVALID_PARAMS, METHOD_NOT_FOUND, Refusal
from toolgate.model import Call, Principal, Reply, Session
from toolgate.ports import Opened, Outbound, Upstream
from toolgate.protocol import bridge, jsonrpc, merge
from toolgate.protocol.merge import Entry
from toolgate.protocol.methods import METHODS
from toolgate.routing.table import Door

MAX_PAGES = 100
PASSED_ON = frozenset({"notifications/roots/list_changed"})
"""Notifications of clients that every server of the session is told."""

Ask = Callable[[Upstream, str | None], Awaitable[bytes]]
"""Asks one server, optionally for the page at a cursor; the result as JSON. Raises `Refusal`."""

_T = TypeVar("_T")


class Listed(Struct, frozen=True, eq=False):
    """One server's whole list."""

    entries: list[Entry]
    rest: dict[str, Raw]
    """The other fields of its first page."""


class Answered(Exception):
    """The server answered with a JSON-RPC error."""

    def __init__(self, code: int) -> None:
        super().__init__(f"answered with error {code}")
        self.code = code


async def lists(
    door: Door, call: Call, ask: Ask, *, seconds: float
) -> tuple[dict[str, Listed], dict[str, str]]:
    """Each server's whole list, and why the others are missing.

    Behind the door of a single server its failure is raised instead.
    """

    async def drained(upstream: Upstream) -> Listed:
        try:
            return await _drain(upstream, call, ask)
        except Answered as answered:
            # A server without prompts, say, has an empty list of them; old ones answer -32602 (E89).
            if answered.code in (METHOD_NOT_FOUND, INVALID_PARAMS):
                return Listed([], {})
            raise

    return await _all(door, drained, seconds)


async def _drain(upstream: Upstream, call: Call, ask: Ask) -> Listed:
    method = METHODS[call.method]
    entries: list[Entry] = []
    rest: dict[str, Raw] | None = None
    cursor: str | None = None
    seen: set[str] = set()
    for _ in range(MAX_PAGES):
        try:
            page = merge.page(Raw(await ask(upstream, cursor)), method)
        except ValueError as error:
            raise bridge.lie(f"not a list: {error}") from None
        entries.extend(page.entries)
        rest = page.rest if rest is None else rest
        cursor = page.cursor
        # A cursor that comes back would be walked for ever; only an absent one ends a list (E52).
        if cursor is None or cursor in seen:
            break
        seen.add(cursor)
    return Listed(merge.first_of_each(entries), rest or {})


async def results(door: Door, ask: Ask, *, seconds: float) -> tuple[dict[str, bytes], dict[str, str]]:
    """Each server's result of one request."""
    return await _all(door, lambda upstream: ask(upstream, None), seconds)


async def openings(
    door: Door, session: Session, principal: Principal, *, seconds: float
) -> tuple[dict[str, Opened], dict[str, str]]:
    """Each server's side of a new session. A server that is late shakes hands at its first call."""
    return await _all(door, lambda upstream: upstream.initialize(session, principal), seconds)


async def _all(
    door: Door, ask: Callable[[Upstream], Awaitable[_T]], seconds: float
) -> tuple[dict[str, _T], dict[str, str]]:
    async def one(upstream: Upstream) -> _T | Refusal:
        try:
            async with asyncio.timeout(seconds):
                return await ask(upstream)
        except TimeoutError:
            return Refusal.timeout(f"no answer within {seconds:g} s")
        except Answered as answered:
            return Refusal.upstream("upstream_error", str(answered))
        except Refusal as refusal:
            return refusal

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
