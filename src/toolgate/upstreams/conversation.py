"""JSON-RPC over one channel: hands are shaken, calls made. Opens and closes nothing."""

import asyncio
import logging
from collections.abc import Callable
from typing import Protocol

from msgspec import Struct

from toolgate.errors import Refusal
from toolgate.model import Reply
from toolgate.ports import Outbound
from toolgate.protocol import envelope
from toolgate.upstreams.calls import Calls
from toolgate.upstreams.exchange import Exchange
from toolgate.upstreams.opening import ID, INITIALIZED, Opening, accept


class Channel(Protocol):
    """What carries a conversation to the server; what the server says comes another way."""

    async def ready(self, seconds: float) -> None:
        """Return once a message can be handed over; `TimeoutError` where that takes longer."""
        ...

    def write(self, message: bytes, lost: Callable[[Refusal], None] | None = None) -> None:
        """Hand over one message, after `ready`. `lost` is told, once at most, where it did not arrive."""
        ...

    def post(self, message: bytes) -> None:
        """Hand over one message at once, before all later ones; it may be lost."""
        ...

    async def stop(self, patience: float) -> None:
        """Let go of the server, in steps of `patience` seconds. Nothing is left when this returns."""
        ...


class Patience(Struct, frozen=True):
    """How long is waited, in seconds."""

    call: float
    """For any message of a call."""
    total: float
    """For the response of a call, whatever progress it reports."""
    start: float
    """For the handshake."""
    stop: float
    """Before each next step of ending a channel."""


class Conversation:
    """The talk over one channel, from the handshake to its end."""

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
        self._channel: Channel
        self._calls = Calls(name, opening, log, self._post, tell)
        self.hear = self._calls.hear
        """Takes the server's messages."""
        self.result = b""
        """The InitializeResult, once hands are shaken."""
        self.over: str | None = None
        """Why the channel has ended; None while it works."""

    @property
    def idle(self) -> bool:
        """No call is in flight."""
        return not self._calls

    async def greet(self, channel: Channel) -> None:
        """Shake hands. Raises `Refusal` where that fails; the channel is for the caller to stop."""
        self._channel = channel
        call = self._enter(ID, "", self._patience.start, self._patience.start)
        answer = await self._converse(call, self._opening.request())
        self.result = accept(self._name, answer or b"")
        channel.post(INITIALIZED)

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
            await self._channel.ready(self._patience.call)
        except TimeoutError:
            raise Refusal.timeout(f"{self._name}: does not read what it is sent") from None
        self._channel.write(out.message)

    def end(self, reason: str) -> None:
        """The channel is gone: no call will be answered."""
        self.over = reason
        self._calls.fail(reason)

    def _enter(self, key: bytes, session: str, patience: float, total: float) -> Exchange:
        if self.over is not None:
            raise Refusal.unavailable(f"{self._name}: {self.over}")
        return self._calls.enter(key, session, patience, total)

    async def _converse(self, call: Exchange, message: bytes) -> bytes | None:
        try:
            await self._channel.ready(self._patience.call)
            if not call.over:
                call.sent = True
                self._channel.write(message, call.lost)
            return await call.first()
        except TimeoutError:
            refusal = Refusal.timeout(f"{self._name}: does not read what it is sent")
            call.leave("", refusal)
            raise refusal from None
        except asyncio.CancelledError:
            call.leave("The caller has gone.")
            raise

    def _post(self, message: bytes) -> None:
        self._channel.post(message)
