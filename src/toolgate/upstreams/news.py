"""What a stateless server tells a client with a session outside of calls: one `subscriptions/listen` per client.

The client's wishes change while it listens, and streams break. A new stream is promised its news before the old
one is let go, and where news may have been lost the client is told of a change.
"""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing, suppress

from toolgate.errors import METHOD_NOT_FOUND, Refusal
from toolgate.model import Principal, Session
from toolgate.ports import Outbound, Upstream
from toolgate.protocol import bridge, jsonrpc, subscriptions, to_stateless, versions
from toolgate.protocol.subscriptions import Wanted
from toolgate.upstreams.mailbox import Mailbox
from toolgate.upstreams.replies import each

FIRST_PAUSE = 1.0
LONGEST_PAUSE = 60.0
"""Seconds between the attempts to listen again."""
MAX_SESSIONS = 100_000
"""Whose wishes are remembered."""


class Wishes:
    """The resources that one session wants to hear of."""

    def __init__(self) -> None:
        self.uris: dict[str, None] = {}
        self.changed = asyncio.Event()

    def add(self, uri: str) -> bool:
        """One more; False where there are too many."""
        if len(self.uris) >= subscriptions.MAX_URIS:
            return False
        self.uris[uri] = None
        self.changed.set()
        return True

    def drop(self, uri: str) -> None:
        """One less."""
        if uri in self.uris:
            del self.uris[uri]
            self.changed.set()


class News:
    """The news of one server for all sessions that listen."""

    def __init__(self, server: Upstream, numbers: Iterator[int]) -> None:
        self._server = server
        self._numbers = numbers
        self._wishes: OrderedDict[str, Wishes] = OrderedDict()

    def wishes(self, session: Session) -> Wishes:
        """What a session wants to hear of."""
        if session.id not in self._wishes and len(self._wishes) >= MAX_SESSIONS:
            self._wishes.popitem(last=False)
        return self._wishes.setdefault(session.id, Wishes())

    def forget(self, session: Session) -> None:
        """The session ended."""
        self._wishes.pop(session.id, None)

    async def messages(
        self, session: Session, principal: Principal, ready: Callable[[], None] | None
    ) -> AsyncIterator[bytes]:
        """Notifications as a client with a session gets them, until it goes or the server offers none."""
        mail = Mailbox()
        keeper = asyncio.create_task(self._keep(session, principal, mail, ready or (lambda: None)))
        keeper.add_done_callback(lambda _: mail.close())
        try:
            async for message in mail:
                yield message
        finally:
            keeper.cancel()
            await asyncio.wait((keeper,))
        if not keeper.cancelled():
            keeper.result()

    async def _keep(
        self, session: Session, principal: Principal, mail: Mailbox, ready: Callable[[], None]
    ) -> None:
        wishes, pause, lost = self.wishes(session), FIRST_PAUSE, False
        stream: asyncio.Task[bool] | None = None
        try:
            while True:
                wishes.changed.clear()
                promised = asyncio.Event()
                wanted = Wanted(tuple(subscriptions.LIST_CHANGED), tuple(wishes.uris))
                old, stream = (
                    stream,
                    asyncio.create_task(self._stream(session, principal, wanted, mail, promised, lost=lost)),
                )
                await _first(stream, promised)
                if old is not None:
                    await _ended(old)
                if promised.is_set():
                    ready()
                    pause = FIRST_PAUSE
                    await _first(stream, wishes.changed)
                lost = stream.done()
                if lost:
                    if not stream.result():
                        return
                    await asyncio.sleep(pause)
                    pause = min(pause * 2, LONGEST_PAUSE)
        finally:
            if stream is not None:
                await _ended(stream)

    async def _stream(
        self,
        session: Session,
        principal: Principal,
        wanted: Wanted,
        mail: Mailbox,
        promised: asyncio.Event,
        *,
        lost: bool,
    ) -> bool:
        """One stream until it ends; False where the server offers none."""
        number = next(self._numbers)
        out = Outbound(
            message=to_stateless.listen(number, session, wanted),
            method="subscriptions/listen",
            revision=versions.MODERN,
            id=number,
            name="",
            principal=principal,
            session=None,
        )
        with suppress(Refusal):
            async with aclosing(each(await self._server.exchange(out))) as messages:
                async for message in messages:
                    parts = bridge.fields(message)
                    if "method" not in parts:
                        return not (
                            "error" in parts and jsonrpc.error_code(parts["error"]) == METHOD_NOT_FOUND
                        )
                    if promised.is_set():
                        news = to_stateless.news(parts)
                        if news is not None:
                            mail.put(news, may_be_lost=True)
                        continue
                    agreed = subscriptions.acknowledged(parts)
                    promised.set()
                    for one in to_stateless.all_changed(agreed) if lost else ():
                        mail.put(one, may_be_lost=True)
        return True


async def _first(task: asyncio.Task[bool], event: asyncio.Event) -> None:
    """Until the task is done or the event is set."""
    waiter = asyncio.create_task(event.wait())
    try:
        await asyncio.wait((task, waiter), return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiter.cancel()


async def _ended(task: asyncio.Task[bool]) -> None:
    task.cancel()
    await asyncio.wait((task,))
