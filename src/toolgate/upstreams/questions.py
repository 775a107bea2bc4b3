"""What clients with sessions were asked and have not answered. Bounded by the calls they belong to; sends nothing."""

import asyncio
import itertools

from msgspec import Raw

from toolgate.protocol import bridge, jsonrpc


class Questions:
    """Open questions by session and id: an answer of any other session answers nothing (E06)."""

    def __init__(self) -> None:
        self._open: dict[tuple[str, bytes], asyncio.Future[dict[str, Raw]]] = {}
        self._numbers = itertools.count(1)

    def __len__(self) -> int:
        return len(self._open)

    def ask(self, session: str, entry: Raw) -> tuple[bytes, bytes]:
        """The request that asks the client what an entry of `inputRequests` says, and its id."""
        number = b"%d" % next(self._numbers)
        self._open[session, number] = asyncio.get_running_loop().create_future()
        parts = {"jsonrpc": Raw(b'"2.0"'), "id": Raw(number), **bridge.fields(entry)}
        return number, jsonrpc.join(parts)

    def answer(self, session: str, message: bytes) -> bool:
        """Whether a client's response answers an open question; then it does."""
        parts = jsonrpc.fields(message)
        future = self._open.get((session, bytes(parts.get("id", b""))))
        if future is None:
            return False
        if not future.done():
            future.set_result(parts)
        return True

    async def answered(self, session: str, number: bytes) -> dict[str, Raw]:
        """The client's response."""
        return await self._open[session, number]

    def forget(self, session: str, number: bytes) -> None:
        """Its call has ended, or has its answer."""
        self._open.pop((session, number)).cancel()
