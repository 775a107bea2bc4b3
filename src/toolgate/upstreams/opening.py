"""How a server behind a channel is greeted, and what it may answer. Data only; sends nothing."""

from collections.abc import Mapping
from typing import Any

import msgspec
import orjson
from msgspec import Struct

from toolgate.errors import Refusal
from toolgate.model import Principal, Session
from toolgate.ports import OtherKind
from toolgate.protocol.envelope import read
from toolgate.protocol.versions import LATEST_LEGACY, LEGACY

INITIALIZED = b'{"jsonrpc":"2.0","method":"notifications/initialized"}'
ID = b'"initialize"'
"""A string, so it cannot meet the number of a call."""

ASKS = {"sampling/createMessage": "sampling", "elicitation/create": "elicitation", "roots/list": "roots"}
"""Requests of a server, and the capability a client must have declared to be asked (E67)."""

Key = tuple[str, str, bytes, str]


class Opening(Struct, frozen=True):
    """On whose behalf a channel is opened, and what the server is told about the client."""

    principal: str
    revision: str
    capabilities: Mapping[str, Any]
    client: Mapping[str, Any]
    session: str = ""
    """The client's session, where no two may share a channel."""

    @property
    def key(self) -> Key:
        """Whoever has the same key may share a channel: nobody but the same principal (E32)."""
        capabilities = msgspec.json.encode(self.capabilities, order="deterministic")
        return self.principal, self.revision, capabilities, self.session

    def request(self) -> bytes:
        """The `initialize` request."""
        params = {
            "protocolVersion": self.revision,
            "capabilities": self.capabilities,
            "clientInfo": self.client,
        }
        body = msgspec.json.encode(params)
        return b'{"jsonrpc":"2.0","id":%b,"method":"initialize","params":%b}' % (ID, body)

    def may_be_asked(self, method: str) -> bool:
        """Whether the client declared what the server wants of it."""
        needed = ASKS.get(method)
        return needed is None or needed in self.capabilities


def opening(session: Session | None, principal: Principal) -> Opening:
    """The opening for a client's session.

    Raises `OtherKind` for a client of the stateless revision: these servers need a handshake.
    """
    if session is None:
        raise OtherKind("revisions with sessions")
    revision = session.revision if session.revision in LEGACY else LATEST_LEGACY
    return Opening(principal.id, revision, session.capabilities, session.client)


def accept(name: str, answer: bytes) -> bytes:
    """The InitializeResult in a server's answer, as its bytes.

    Raises `Refusal` for an error, or a revision that nobody knows.
    """
    found = read(answer)
    result, error = (bytes(found.result), bytes(found.error)) if found is not None else (b"", b"")
    if error:
        raise Refusal.unavailable(f"{name}: refused the handshake: {error[:200]!r}")
    try:
        revision = orjson.loads(result)["protocolVersion"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        revision = None
    if revision not in LEGACY:
        raise Refusal.unavailable(f"{name}: answered the handshake with revision {revision!r}")
    return result
