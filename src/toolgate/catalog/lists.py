"""Servers' whole lists, remembered for as long as each may be: one fetch however many callers ask. No protocol.

A list is shared by callers whom its server cannot tell apart (the same credential, revision and capabilities), and
by everybody where the server calls it public. What a caller may see of it is decided anew for each (E62).
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
from msgspec import Raw, Struct

from toolgate.model import Call, Kind, Principal
from toolgate.ports import Clock, Upstream
from toolgate.protocol import modern
from toolgate.protocol.merge import Entry
from toolgate.protocol.methods import METHODS
from toolgate.protocol.modern import CAPABILITIES_KEY

MAX_LISTS = 1000
MAX_BYTES = 64 * 1024 * 1024
"""Of all lists together; the least recently used go first."""


MAX_CAPABILITIES = 4096
"""Bytes; clients that declare more get lists of their own."""

_KNOWN_PARAMS = frozenset({"_meta", "cursor"})
_KNOWN_META = frozenset(
    {
        modern.VERSION_KEY,
        CAPABILITIES_KEY,
        modern.META + "clientInfo",
        modern.META + "logLevel",
        "baggage",
        "progressToken",
        "traceparent",
        "tracestate",
    }
)
"""None of them may change what a list holds; of what extensions send nobody knows."""


class View(Struct, frozen=True):
    """What a server's answer to a list request depends on."""

    server: Any
    """The object that stands for the server and is compared by identity: a changed config makes a new one."""
    name: str
    kind: Kind
    method: str
    revision: str
    capabilities: bytes
    credential: object
    """Stands for what the server is shown; None for a list that is public."""


class Listed(Struct, frozen=True, eq=False):
    """One server's whole list."""

    entries: list[Entry]
    rest: dict[str, Raw]
    """The other fields of its first page."""
    seconds: float = 0.0
    """How long it may be remembered, from when it was fetched."""
    public: bool = False
    whole: bool = True
    """False where the server went on beyond our bounds."""


class _Kept(Struct):
    listed: Listed
    size: int
    until: float


class Lists:
    """What is remembered."""

    def __init__(self, clock: Clock = time.monotonic) -> None:
        self._clock = clock
        self._kept: OrderedDict[View, _Kept] = OrderedDict()
        self._size = 0
        self._fetching: dict[View, asyncio.Task[Listed]] = {}
        self._epochs: dict[tuple[str, Kind], int] = {}

    async def get(self, view: View, fetch: Callable[[], Awaitable[Listed]]) -> tuple[Listed, float]:
        """The list and for how many seconds it still holds. Raises what `fetch` raises, to each who waits for it."""
        for key in (_public(view), view):
            kept = self._kept.get(key)
            if kept is not None and kept.until > self._clock():
                self._kept.move_to_end(key)
                return kept.listed, kept.until - self._clock()
        task = self._fetching.get(view)
        joined = task is not None
        if task is None:
            task = asyncio.ensure_future(self._fetch(view, fetch))
            self._fetching[view] = task
            task.add_done_callback(lambda done: self._fetched(view, done))
        listed = await asyncio.shield(task)
        if joined and listed.seconds <= 0:
            # It holds for nobody but who asked: a session of its own may have shown somebody else another list.
            listed = await fetch()
        return listed, listed.seconds

    def _fetched(self, view: View, done: asyncio.Task[Listed]) -> None:
        del self._fetching[view]
        if not done.cancelled():
            # Everybody who waited may be gone; then nobody else reads how it ended.
            done.exception()

    async def _fetch(self, view: View, fetch: Callable[[], Awaitable[Listed]]) -> Listed:
        epoch = self._epochs.get((view.name, view.kind), 0)
        listed = await fetch()
        # Where the server said meanwhile that its list changed, this may be the old one.
        if listed.seconds > 0 and listed.whole and epoch == self._epochs.get((view.name, view.kind), 0):
            self._keep(_public(view) if listed.public else view, listed)
        return listed

    def _keep(self, view: View, listed: Listed) -> None:
        self._drop(view)
        size = sum(len(bytes(entry.raw)) for entry in listed.entries)
        if size > MAX_BYTES:
            return
        self._kept[view] = _Kept(listed, size, self._clock() + listed.seconds)
        self._size += size
        while len(self._kept) > MAX_LISTS or self._size > MAX_BYTES:
            self._drop(next(iter(self._kept)))

    def _drop(self, view: View) -> None:
        kept = self._kept.pop(view, None)
        if kept is not None:
            self._size -= kept.size

    def changed(self, name: str, kind: Kind) -> None:
        """The server says that its list is another: forget it before anybody is told (E55)."""
        self._epochs[name, kind] = self._epochs.get((name, kind), 0) + 1
        for view in [view for view in self._kept if (view.name, view.kind) == (name, kind)]:
            self._drop(view)


def view(upstream: Upstream, call: Call, principal: Principal) -> View | None:
    """What the server's answer to this list request depends on; None where it may be anything."""
    meta = call.params.get("_meta", {})
    if set(call.params) - _KNOWN_PARAMS or not isinstance(meta, dict) or set(meta) - _KNOWN_META:
        return None
    declared = meta.get(CAPABILITIES_KEY) if call.session is None else call.session.capabilities
    capabilities = orjson.dumps(declared, option=orjson.OPT_SORT_KEYS)
    if len(capabilities) > MAX_CAPABILITIES:
        return None
    return View(
        upstream,
        upstream.name,
        METHODS[call.method].kind,
        call.method,
        call.revision,
        capabilities,
        upstream.credential(principal),
    )


def _public(view: View) -> View:
    return View(view.server, view.name, view.kind, view.method, view.revision, view.capabilities, None)
