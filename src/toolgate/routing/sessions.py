"""Client sessions of the revisions up to 2025-11-25: minted, opened, ended. The state is the id itself, sealed.

A session belongs to the principal that opened it: for anybody else it does not exist (E27, A3).
"""

import secrets
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

import msgspec

from toolgate.model import Principal, Session
from toolgate.ports import Clock
from toolgate.protocol.seal import KeyRing

PURPOSE = "mcp-session"
MAX_DETAILS = 1024
"""Bytes of capabilities or upstream ids that an id carries. More would pass the header limits of proxies."""

MAX_ENDED = 100_000

_encode = msgspec.msgpack.encode
_decode = msgspec.msgpack.Decoder(Session).decode


class Sessions:
    """Opens what it minted, until it expires or is ended."""

    def __init__(self, keys: KeyRing, lifetime: float, clock: Clock) -> None:
        """`lifetime` in seconds. With keys of the config, ids outlive the process; revocations do not."""
        self._keys = keys
        self._lifetime = lifetime
        self._clock = clock
        self._ended: OrderedDict[str, float] = OrderedDict()

    def begin(self, principal: Principal, revision: str, params: Mapping[str, Any]) -> Session:
        """A new session with what the client said of itself in `initialize`."""
        capabilities = params.get("capabilities")
        client = params.get("clientInfo")
        return Session(
            id=secrets.token_urlsafe(12),
            principal=principal.id,
            revision=revision,
            capabilities=_bounded(capabilities if isinstance(capabilities, dict) else {}),
            client=_introduction(client if isinstance(client, dict) else {}),
            expires=self._clock() + self._lifetime,
        )

    def mint(self, session: Session) -> str:
        """The id the client carries."""
        if len(_encode(session.upstreams)) > MAX_DETAILS:
            # Past this the gateway shakes hands again after a restart instead of carrying every id.
            session = msgspec.structs.replace(session, upstreams={})
        return self._keys.seal(
            _encode(session), purpose=PURPOSE, bound_to=session.principal, expires=session.expires
        )

    def open(self, text: str, principal: Principal) -> Session | None:
        """The session, or None for every id that is of no use to this principal."""
        payload = self._keys.open(text, purpose=PURPOSE, bound_to=principal.id, now=self._clock())
        if payload is None:
            return None
        session = _decode(payload)
        return None if session.id in self._ended else session

    def end(self, session: Session) -> None:
        """From now on the id opens nothing, in this process."""
        now = self._clock()
        self._ended[session.id] = session.expires
        while self._ended and (len(self._ended) > MAX_ENDED or next(iter(self._ended.values())) < now):
            self._ended.popitem(last=False)

    def implied(self, principal: Principal, revision: str) -> Session:
        """The session of a client that carries no id (A4): one per principal, without capabilities."""
        return Session(
            id=f"implied-{revision}-{principal.id}",
            principal=principal.id,
            revision=revision,
            capabilities={},
            client={"name": "unknown", "version": "0"},
            expires=self._clock() + self._lifetime,
        )


def _bounded(capabilities: dict[str, Any]) -> dict[str, Any]:
    if len(_encode(capabilities)) <= MAX_DETAILS:
        return capabilities
    return {key: capabilities[key] for key in ("elicitation", "roots", "sampling") if key in capabilities}


def _introduction(client: dict[str, Any]) -> dict[str, str]:
    return {
        key: str(client[key])[:128] if key in client else default
        for key, default in (("name", "unknown"), ("version", "0"))
    }
