"""Lists a server before the first call that rules judge by what it says of its tools. Decides nothing.

Without this, such rules would fail closed until some client happened to list the server.
"""

import asyncio
from collections.abc import Callable

import msgspec
from msgspec import structs

from toolgate import fanout
from toolgate.catalog.tools import Catalog
from toolgate.errors import Refusal
from toolgate.ledger.entry import Entry
from toolgate.model import Call, Kind, Principal, Target
from toolgate.protocol.methods import METHODS
from toolgate.snapshot import Snapshot

PAUSE_SECONDS = 30.0
"""How long a server that could not be listed is left alone: its calls are judged without its word meanwhile."""

_LISTS = {Kind.TOOL: "tools/list"}

Asker = Callable[[Call, Principal, Entry], fanout.Ask]


class Learner:
    """One for the process: each server is listed once, however many calls wait for it."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._locks: dict[str, asyncio.Lock] = {}
        self._not_before: dict[str, float] = {}

    def lacks(self, target: Target) -> bool:
        """Whether nothing is known of the server's tools, and it may be asked."""
        return target.kind in _LISTS and not self._catalog.knows(target.kind, target.server)

    async def learn(
        self, world: Snapshot, call: Call, principal: Principal, target: Target, asker: Asker, entry: Entry
    ) -> None:
        """List the target's server as this caller. What cannot be had stays unknown: rules fail closed."""
        async with self._locks.setdefault(target.server, asyncio.Lock()):
            now = asyncio.get_running_loop().time()
            if not self.lacks(target) or now < self._not_before.get(target.server, 0.0):
                return
            asked = _listing(call, target)
            door = world.doors[target.server]
            try:
                ask = asker(asked, principal, entry)
                found = await fanout.lists(
                    door, asked, principal, ask, fanout.Patience(), self._catalog.lists
                )
            except Refusal:
                self._not_before[target.server] = now + PAUSE_SECONDS
                return
            for server, listed in found.lists.items():
                self._catalog.note(METHODS[asked.method], server, listed.entries)


def _listing(call: Call, target: Target) -> Call:
    """The list request that this client would send."""
    meta = call.params.get("_meta")
    kept = (
        {key: value for key, value in meta.items() if key != "progressToken"}
        if isinstance(meta, dict)
        else None
    )
    params = {} if kept is None else {"_meta": kept}
    method = _LISTS[target.kind]
    body = msgspec.json.encode({"jsonrpc": "2.0", "id": 0, "method": method, "params": params})
    return structs.replace(
        call, door=target.server, method=method, body=body, params=params, name="", headers=()
    )
