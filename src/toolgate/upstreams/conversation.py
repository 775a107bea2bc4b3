"""JSON-RPC with one child: hands are shaken, calls made. Starts and stops no process."""

import asyncio
import logging
from collections.abc import Callable

from msgspec import Struct

from toolgate.errors import Refusal
from toolgate.model import Reply
from toolgate.ports import Outbound
from toolgate.protocol import envelope
from toolgate.upstreams.calls import Calls
from toolgate.upstreams.child import Child
from toolgate.upstreams.exchange import Exchange
from toolgate.upstreams.opening import ID, INITIALIZED, Opening, accept


class Patience(Struct, frozen=True):
    """How long is waited, in seconds."""

    call: float
    """For any message of a call."""
    total: float
    """For the response of a call, whatever progress it reports."""
    start: float
    """For the handshake."""
    stop: float
    """Before each next step of ending a child."""


class Conversation:
    """The talk with one child, from the handshake to its end."""

    def __init__(
        self,
        name: str,
        opening: Opening,
        patience: Patience,
        log: logging.Logger,
        tell: Callable[[bytes], None],
    ) -> None:
        self._name = name
        self._opening = opening
        self._patience = patience
        self._child: Child
        self._calls = Calls(name, opening, log, self._post, tell)
        self.hear = self._calls.hear
        """Takes the child's lines."""
        self.result = b""
        """The InitializeResult, once hands are shaken."""
        self.over: str | None = None
        """Why the child has ended; None while it lives."""

    @property
    def idle(self) -> bool:
        """No call is in flight."""
        return not self._calls

    async def greet(self, child: Child) -> None:
        """Shake hands. Raises `Refusal` where that fails; the child is for the caller to stop."""
        self._child = child
        call = self._enter(ID, "", self._patience.start, self._patience.start)
        answer = await self._converse(call, self._opening.request())
        self.result = accept(self._name, answer or b"")
        child.post(INITIALIZED)

    async def exchange(self, out: Outbound) -> Reply:
        """One call: in flight before anything is awaited."""
        assert out.id is not None, "a request has an id"
        session = out.session.id if out.session is not None else ""
        call = self._enter(b"%d" % out.id, session, self._patience.call, self._patience.total)
        answer = await self._converse(call, out.message)
        return Reply(stream=call) if answer is None else Reply(message=answer)

    async def send(self, out: Outbound) -> None:
        """Pass on a notification or the answer to a request of the server; drop what nobody waits for."""
        session = out.session.id if out.session is not None else ""
        if not self._calls.expect(envelope.read(out.message), session):
            return
        try:
            await self._child.ready(self._patience.call)
        except TimeoutError:
            raise Refusal.timeout(f"{self._name}: does not read its input") from None
        self._child.write(out.message)

    def end(self, reason: str) -> None:
        """The child is gone: no call will be answered."""
        self.over = reason
        self._calls.fail(reason)

    def _enter(self, key: bytes, session: str, patience: float, total: float) -> Exchange:
        if self.over is not None:
            raise Refusal.unavailable(f"{self._name}: {self.over}")
        return self._calls.enter(key, session, patience, total)

    async def _converse(self, call: Exchange, message: bytes) -> bytes | None:
        try:
            await self._child.ready(self._patience.call)
            if not call.over:
                self._child.write(message)
                call.sent = True
            return await call.first()
        except TimeoutError:
            refusal = Refusal.timeout(f"{self._name}: does not read its input")
            call.leave("", refusal)
            raise refusal from None
        except asyncio.CancelledError:
            call.leave("The caller has gone.")
            raise

    def _post(self, message: bytes) -> None:
        self._child.post(message)
