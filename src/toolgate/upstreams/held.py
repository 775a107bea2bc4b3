"""Calls that wait at a server while their client decides about a question. Bounded, and freed by time.

`requestState` names one of them for one principal and one request, once. It is sealed, so that whoever carries it
learns and changes nothing; it dies with this process, since a call at a server with sessions lives in one.
"""

import asyncio
import secrets
import time
from collections import Counter
from typing import Protocol

import msgspec
from msgspec import Struct

from toolgate.errors import INVALID_PARAMS, Refusal
from toolgate.ports import Clock
from toolgate.protocol.seal import KEY_BYTES, KeyRing

PURPOSE = "mcp-held-call"
HOLD_SECONDS = 600.0
"""How long a client may think about one round of questions."""
MAX_HELD = 1_000
MAX_OF_PRINCIPAL = 16
MAX_STATE = 4096
"""Characters of a `requestState` that may be ours (E71)."""


class Holdable(Protocol):
    """A call that can wait."""

    def abandon(self) -> None:
        """The client did not come back: end it."""
        ...


class Claim(Struct, frozen=True):
    """What must be the same when the client comes back."""

    server: str
    method: str
    digest: bytes
    """Of everything the request says but its answers."""


class _Ticket(Struct, frozen=True, array_like=True):
    token: bytes
    claim: Claim


class _Place(Struct, frozen=True, eq=False):
    call: Holdable
    principal: str
    timer: asyncio.TimerHandle


_encode = msgspec.msgpack.encode
_decode = msgspec.msgpack.Decoder(_Ticket).decode


class HeldCalls:
    """All held calls of this process."""

    def __init__(self, *, seconds: float = HOLD_SECONDS, clock: Clock = time.time) -> None:
        # Keys of its own: no other process could do anything with what they seal.
        self._keys = KeyRing([secrets.token_bytes(KEY_BYTES)])
        self._clock = clock
        self._seconds = seconds
        self._places: dict[bytes, _Place] = {}
        self._of: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._places)

    def hold(self, call: Holdable, principal: str, claim: Claim) -> str:
        """Keep a call; what the client must bring back. Raises `Refusal` where too many are kept."""
        if len(self._places) >= MAX_HELD or self._of[principal] >= MAX_OF_PRINCIPAL:
            reason = (
                f"{self._of[principal]} calls of this principal wait for answers, {len(self._places)} in all"
            )
            raise Refusal.unavailable(reason)
        token = secrets.token_bytes(16)
        timer = asyncio.get_running_loop().call_later(self._seconds, self._expire, token)
        self._places[token] = _Place(call, principal, timer)
        self._of[principal] += 1
        expires = self._clock() + self._seconds
        return self._keys.seal(
            _encode(_Ticket(token, claim)), purpose=PURPOSE, bound_to=principal, expires=expires
        )

    def find(self, state: str, principal: str, claim: Claim) -> tuple[bytes, Holdable]:
        """The call that waits for these answers, and the token to `leave` it with.

        Raises `Refusal` (-32602), the same for every state that is of no use: changed, expired, used, foreign,
        of another request, or of another process (E65, E66).
        """
        payload = None
        if len(state) <= MAX_STATE:
            payload = self._keys.open(state, purpose=PURPOSE, bound_to=principal, now=self._clock())
        ticket = None if payload is None else _decode(payload)
        if ticket is None:
            raise _useless("the state cannot be opened")
        if ticket.claim != claim:
            raise _useless("the state is of another request")
        if ticket.token not in self._places:
            raise _useless("the call is not held here any more")
        return ticket.token, self._places[ticket.token].call

    def leave(self, token: bytes) -> Holdable:
        """The call goes on: it is held no more, and its state is spent."""
        place = self._places.pop(token)
        place.timer.cancel()
        self._of[place.principal] -= 1
        if not self._of[place.principal]:
            del self._of[place.principal]
        return place.call

    def _expire(self, token: bytes) -> None:
        self.leave(token).abandon()


def _useless(reason: str) -> Refusal:
    text = "requestState is not valid any more; begin the call anew."
    return Refusal.invalid(text, code=INVALID_PARAMS, reason=reason)
