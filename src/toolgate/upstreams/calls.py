"""The calls in flight over one channel: which message belongs to which of them. Waits for nothing."""

import logging
from collections.abc import Callable

import orjson

from toolgate.errors import INTERNAL_ERROR, METHOD_NOT_FOUND, Refusal
from toolgate.protocol import envelope, jsonrpc
from toolgate.protocol.envelope import Envelope, Sort
from toolgate.upstreams.exchange import Exchange
from toolgate.upstreams.opening import ID, Opening

LIMIT = 1024
"""Calls in flight over one channel."""


class Calls:
    """Gives every message of a server to the one it is for.

    `post` sends the server what needs no waiting; `tell` gets notifications that belong to no call.
    """

    def __init__(
        self,
        name: str,
        opening: Opening,
        log: logging.Logger,
        post: Callable[[bytes], None],
        tell: Callable[[bytes], None],
    ) -> None:
        self._name = name
        self._opening = opening
        self._log = log
        self._post = post
        self._tell = tell
        self._calls: dict[bytes, Exchange] = {}
        self._asked: dict[bytes, Exchange] = {}
        self._junk = 0

    def __len__(self) -> int:
        return len(self._calls)

    def enter(self, key: bytes, session: str, patience: float, total: float) -> Exchange:
        """A call is in flight from now on; `key` is the JSON text of its id."""
        if len(self._calls) >= LIMIT:
            raise Refusal.unavailable(f"{self._name}: {LIMIT} calls are in flight")
        assert key not in self._calls, "ids are unique in this process"
        call = self._calls[key] = Exchange(self._name, key, session, patience, total, self._left)
        return call

    def fail(self, reason: str) -> None:
        """None of them will be answered."""
        for call in self._calls.values():
            call.fail(Refusal.unavailable(f"{self._name}: {reason}"))
        self._calls.clear()
        self._asked.clear()

    def hear(self, line: bytes) -> None:
        """One message of the server."""
        message = envelope.read(line)
        if message is None:
            self._skip(line)
        elif message.sort is Sort.RESPONSE:
            self._take_answer(message, line)
        elif message.sort is Sort.NOTIFICATION:
            self._take_notification(message, line)
        elif message.sort is Sort.REQUEST:
            self._take_request(message, line)
        else:
            self._take_broken(message)

    def expect(self, message: Envelope | None, session: str) -> bool:
        """Whether the server should get this notification, or answer to what it asked, of a client."""
        if message is None or message.method == "notifications/initialized":
            return False  # Hands are shaken already.
        if message.method == "notifications/cancelled":
            return self._cancel(envelope.cancelled(message.params), session)
        if message.sort is not Sort.RESPONSE:
            return True
        call = self._asked.get(message.id)
        if call is None or call.session != session:
            return False
        del self._asked[message.id]
        call.answered(message.id)
        return True

    def _cancel(self, key: bytes | None, session: str) -> bool:
        call = self._calls.get(key or b"")
        if call is None or call.session != session:
            return False
        self._close(call)
        call.fail(Refusal.upstream("cancelled", f"{self._name}: the client cancelled the call"))
        return True

    def _left(self, call: Exchange, why: str) -> None:
        self._close(call)
        if call.sent and call.key != ID:  # `initialize` must not be cancelled.
            self._post(_cancelled(call.key, why))

    def _close(self, call: Exchange) -> None:
        self._calls.pop(call.key, None)
        for id_ in call.asked:
            del self._asked[id_]
            self._post(jsonrpc.error(id_, INTERNAL_ERROR, "The call this belongs to has ended."))

    def _take_answer(self, message: Envelope, line: bytes) -> None:
        call = self._calls.get(message.id)
        if call is not None:  # Else it comes late, after a cancel: swallowed (E43).
            self._close(call)
            call.answer(line)

    def _take_broken(self, message: Envelope) -> None:
        call = self._calls.get(message.id)
        if call is not None:
            self._close(call)
            call.fail(Refusal.upstream("invalid_answer", f"{self._name}: the answer cannot be read"))

    def _take_notification(self, message: Envelope, line: bytes) -> None:
        if message.method == "notifications/progress":
            found = envelope.progress(message.params)
            call = self._calls.get(found[0]) if found is not None else None
            if found is not None and call is not None:
                call.progress(found[1], line)
        elif message.method == "notifications/cancelled":
            key = envelope.cancelled(message.params) or b""
            call = self._asked.pop(key, None)
            if call is not None:
                call.withdraw(key, line)
        else:
            self._tell(line)

    def _take_request(self, message: Envelope, line: bytes) -> None:
        if message.method == "ping":
            self._post(jsonrpc.result(message.id, {}))
        elif not self._opening.may_be_asked(message.method):
            self._post(jsonrpc.error(message.id, METHOD_NOT_FOUND, "The client does not offer this."))
        elif not self._hand_over(message.id, line):
            text = "It cannot be told which call this belongs to."
            self._post(jsonrpc.error(message.id, INTERNAL_ERROR, text))

    def _hand_over(self, id_: bytes, line: bytes) -> bool:
        # The protocol names no call in a request; only with a single one is there no doubt (E31).
        if len(self._calls) != 1 or id_ in self._asked:
            return False
        (call,) = self._calls.values()
        if call.key == ID or not call.ask(id_, line):
            return False
        self._asked[id_] = call
        return True

    def _skip(self, line: bytes) -> None:
        self._junk += 1
        if self._junk & (self._junk - 1) == 0:  # Powers of two: a flood makes few lines of log.
            self._log.warning("no message of the protocol, %d so far: %.100r", self._junk, line)


def _cancelled(key: bytes, why: str) -> bytes:
    params = b'{"requestId":%b,"reason":%b}' % (key, orjson.dumps(why))
    return b'{"jsonrpc":"2.0","method":"notifications/cancelled","params":%b}' % params
