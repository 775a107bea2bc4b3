"""The tools of every server of a config, listed as the gateway would for a caller. Judges nothing."""

import asyncio
import itertools
from collections.abc import Iterable

from toolgate import __version__, fanout
from toolgate.catalog.lists import Lists
from toolgate.errors import Refusal
from toolgate.model import Call, Principal
from toolgate.ports import Outbound, Upstream
from toolgate.protocol import bridge, jsonrpc, modern, versions
from toolgate.protocol.merge import Entry
from toolgate.routing.table import Door

METHOD = "tools/list"


async def survey(
    doors: Iterable[Door], principal: Principal, *, seconds: float
) -> tuple[dict[str, list[Entry]], dict[str, str]]:
    """Each single server's tools, and why those of the others could not be had. `seconds` bounds each."""
    doors = list(doors)
    answers = await asyncio.gather(*(_tools(door, principal, seconds) for door in doors))
    found = {door.name: one for door, one in zip(doors, answers, strict=True) if not isinstance(one, str)}
    missing = {door.name: one for door, one in zip(doors, answers, strict=True) if isinstance(one, str)}
    return found, missing


async def _tools(door: Door, principal: Principal, seconds: float) -> list[Entry] | str:
    try:
        return await _listed(door, principal, seconds)
    except Refusal as refusal:
        return refusal.reason


async def _listed(door: Door, principal: Principal, seconds: float) -> list[Entry]:
    call = _call(door)
    numbers = itertools.count(1)

    async def ask(upstream: Upstream, cursor: str | None) -> bytes:
        number = next(numbers)
        message = bridge.outbound(call, number, "")
        out = Outbound(
            message=message if cursor is None else bridge.next_page(message, cursor),
            method=METHOD,
            revision=call.revision,
            id=number,
            name="",
            principal=principal,
            session=None,
            repeatable=True,
        )
        return await fanout.result_of(await upstream.exchange(out), number)

    found = await fanout.lists(door, call, principal, ask, fanout.Patience(seconds=seconds), Lists())
    return found.lists[door.name].entries


def _call(door: Door) -> Call:
    meta = {
        modern.VERSION_KEY: versions.MODERN,
        modern.CAPABILITIES_KEY: {},
        modern.META + "clientInfo": {"name": "toolgate", "version": __version__},
    }
    params = {"_meta": meta}
    body = bytes(jsonrpc.raw({"jsonrpc": "2.0", "id": 0, "method": METHOD, "params": params}))
    return Call(versions.MODERN, door.name, METHOD, body, params, id=b"0")
