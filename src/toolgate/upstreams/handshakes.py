"""What each upstream agreed on per client session: one handshake however many calls wait for it. No protocol."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable

from msgspec import Struct


class Agreed(Struct, frozen=True):
    """The upstream's side of a client's session."""

    revision: str
    session_id: str | None
    """The upstream's own id; never shown to clients (E27)."""


class Handshakes:
    """Remembers what was agreed, by client session. The least recently used is forgotten beyond `limit`;
    its next call shakes hands again."""

    def __init__(self, limit: int = 100_000) -> None:
        self._agreed: OrderedDict[str, Agreed] = OrderedDict()
        self._pending: dict[str, asyncio.Future[Agreed]] = {}
        self._limit = limit

    def put(self, session: str, agreed: Agreed) -> None:
        """Remember."""
        self._agreed[session] = agreed
        self._agreed.move_to_end(session)
        if len(self._agreed) > self._limit:
            self._agreed.popitem(last=False)

    def pop(self, session: str, agreed: Agreed | None = None) -> Agreed | None:
        """Forget; with `agreed`, only if that is what is still remembered."""
        if agreed is not None and self._agreed.get(session) is not agreed:
            return None
        return self._agreed.pop(session, None)

    async def get(self, session: str, shake: Callable[[], Awaitable[Agreed]]) -> Agreed:
        """What was agreed, or what `shake` now agrees on; concurrent calls share one handshake.

        Raises what `shake` raises, to each of them.
        """
        known = self._agreed.get(session)
        if known is not None:
            self._agreed.move_to_end(session)
            return known
        pending = self._pending.get(session)
        if pending is None:
            pending = asyncio.ensure_future(self._shake(session, shake))
            self._pending[session] = pending
        return await asyncio.shield(pending)

    async def _shake(self, session: str, shake: Callable[[], Awaitable[Agreed]]) -> Agreed:
        try:
            agreed = await shake()
            self.put(session, agreed)
            return agreed
        finally:
            del self._pending[session]
