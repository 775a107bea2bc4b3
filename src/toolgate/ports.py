"""What an extension or adapter must meet. Stages know each other only through these and `model.py`."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Protocol

from msgspec import Struct

from toolgate.errors import UPSTREAM_FAILED, Refusal
from toolgate.model import Call, Decision, Principal, Promise, Record, Reply, Session, Target

Clock = Callable[[], float]
"""Unix seconds. Passed in so that tests own time."""


class Identify(Protocol):
    """Turns a credential into a principal."""

    async def identify(self, call: Call) -> Principal | None:
        """The principal, or None where the call carries no credential of this kind.

        Raises `Refusal` (401) for a credential of this kind that is not accepted.
        """
        ...


class Decide(Protocol):
    """The policy: the one function that lists and calls ask."""

    version: str
    reads_catalog: bool
    """Whether some rule needs what only the catalogue knows."""

    async def decide(self, principal: Principal, target: Target, call: Call | None = None) -> Decision:
        """With `call`, never answers DEPENDS. Without, arguments and time are unknown. Never raises."""
        ...


class Full(Exception):
    """A tally has no room for another key."""


class Tally(Protocol):
    """Keeps sums over time. Calls do not wait for it: it answers at once."""

    horizon: float
    """Seconds back that entries may be asked for; 0 where nobody asks."""

    def keep(self, seconds: float) -> None:
        """Entries will be asked for up to `seconds` back."""
        ...

    def sum(self, key: tuple[str, ...], since: float) -> int | float:
        """What was counted under `key` at `since` (Unix seconds) or later; never less, and more only where it
        had to join entries."""
        ...

    def count(self, key: tuple[str, ...], moment: float, amount: int | float) -> Callable[[], object]:
        """Count, and return what takes it back. Raises `Full`: then nothing was counted."""
        ...


class Outbound(Struct, eq=False):
    """One message for an upstream, with the ids of that hop already in it."""

    message: bytes
    method: str
    revision: str
    id: int | None
    """The id in `message`, unique in this process; None for notifications and responses."""
    name: str
    """The upstream's own name of the target, for `Mcp-Name`."""
    principal: Principal
    session: Session | None
    """The client's session, None for the stateless revision."""
    headers: tuple[tuple[bytes, bytes], ...] = ()
    repeatable: bool = False
    """True where sending twice does no harm (lists and reads): a lost connection may be retried once."""
    crossed: str | None = None
    """The server's revision where it is of the other kind than the client's; set by the exchange."""


class Authorize(Protocol):
    """The gateway's credential towards one server, where it depends on time or on the caller."""

    async def headers(self, principal: Principal) -> tuple[tuple[bytes, bytes], ...]:
        """What to send on behalf of this principal, never another's.

        Raises `Refusal` where it cannot be had, or is not for a caller of this kind.
        """
        ...

    def rejected(self, principal: Principal, headers: tuple[tuple[bytes, bytes], ...]) -> bool:
        """The server refused these (401). True where a fresh credential is worth a second try."""
        ...

    async def aclose(self) -> None:
        """Nothing goes on afterwards."""
        ...


class Opened(Struct, frozen=True):
    """What an upstream said to `initialize`."""

    result: bytes
    """The InitializeResult as JSON."""
    session_id: str | None = None
    """The upstream's own session id, where it gave one."""


class OtherKind(Refusal):
    """The server speaks MCP, but not the client's kind of it: with sessions, or stateless. Nothing was done."""

    def __init__(self, server_speaks: str) -> None:
        text = "This server speaks another kind of MCP than this client."
        super().__init__(
            "upstream",
            "other_kind",
            text,
            code=UPSTREAM_FAILED,
            status=502,
            reason=f"the server speaks {server_speaks}",
        )


class Upstream(Protocol):
    """One MCP server behind the gateway.

    A transport carries messages as they are and raises `OtherKind` for a client of the other kind of MCP;
    the crossing in front of it serves both.
    """

    name: str

    async def speaks(self, revision: str, principal: Principal) -> bool:
        """Whether the server speaks the kind of protocol `revision` is of; where nobody knows, it is asked.

        A server may speak both. Raises `Refusal` where it cannot be told.
        """
        ...

    def credential(self, principal: Principal) -> object:
        """Stands for what the server is shown for a caller: equal for callers that it cannot tell apart. It can be
        hashed, and is not None."""
        ...

    async def initialize(self, session: Session, principal: Principal) -> Opened:
        """Open this server's side of a client's session. Raises `Refusal`."""
        ...

    async def exchange(self, out: Outbound) -> Reply:
        """Send a request, return the answer. Raises `Refusal` for anything but an MCP answer.

        Closing the returned stream (or cancelling this call) ends the exchange upstream.
        """
        ...

    async def send(self, out: Outbound) -> None:
        """Send a notification or a response; nothing is awaited but its acceptance."""
        ...

    def listen(
        self, session: Session, principal: Principal, ready: Callable[[], None] | None = None
    ) -> AsyncIterator[bytes]:
        """Messages of the server that belong to no call (revisions with sessions).

        `ready` is called once nothing of what the server says from then on is missed.
        """
        ...

    async def forget(self, session: Session, principal: Principal) -> None:
        """The client's session ended: end what belongs to it here."""
        ...

    async def aclose(self) -> None:
        """Stop for good. No connection, task or child is left behind."""
        ...


class HttpResponse(Protocol):
    """An answer whose body is read as it comes."""

    @property
    def status(self) -> int:
        """The status code of the final answer."""
        ...

    @property
    def headers(self) -> Mapping[bytes, bytes]:
        """Lower-case names; the last value of a repeated name."""
        ...

    def whole(self, limit: int) -> bytes | None:
        """The body where all of it is here already, else None: then `read` it. Raises `HttpError` when it is
        larger than `limit` bytes."""
        ...

    async def read(self, limit: int) -> bytes:
        """The whole body. Raises `HttpError` when it is larger than `limit` bytes or breaks off."""
        ...

    def chunks(self) -> AsyncIterator[bytes]:
        """The body as it arrives; not reading stops the sender. Raises `HttpError` when it breaks off."""
        ...

    def close(self) -> None:
        """Done with it. A body not read to its end costs the connection."""
        ...


class Http(Protocol):
    """An HTTP/1.1 client."""

    async def request(
        self,
        method: str,
        url: str,
        headers: tuple[tuple[bytes, bytes], ...] = (),
        body: bytes = b"",
        *,
        timeout: float,
        repeatable: bool = False,
    ) -> HttpResponse:
        """Send, and return once the answer's headers are here. `timeout` (seconds) bounds that much.

        `Host` and `Content-Length` are added. Redirects are not followed. Raises `HttpError`.
        With `repeatable`, a kept-alive connection found dead before any answer byte is replaced once.
        """
        ...

    async def aclose(self) -> None:
        """Close every connection, also those in use."""
        ...


class HttpError(Exception):
    """The exchange failed. `kind` is one of `connect`, `timeout`, `closed`, `protocol`, `too_large`.

    `sent` says whether the server may have seen the request.
    """

    def __init__(self, kind: str, text: str, *, sent: bool) -> None:
        super().__init__(text)
        self.kind = kind
        self.sent = sent


class Ledger(Protocol):
    """Where records go."""

    def append(self, record: Record) -> Promise:
        """Decided once the record is as safe as the configured durability promises; a `Refusal`
        where it cannot be written: then nothing may be answered."""
        ...

    async def aclose(self) -> None:
        """Write what is pending, then close."""
        ...


class Recorded(Struct, frozen=True):
    """A record as a reader of the ledger meets it."""

    seq: int
    """Its number in the ledger."""
    data: bytes
    """The record as canonical JSON."""
    hash: str
    """The hash of its line, in hex: the fingerprint that checkpoints are signed over."""
    prev: str
    """The hash of the line before."""


class Shape(Protocol):
    """Turns a record into what a sink sends. Pure: the same record always becomes the same bytes."""

    def __call__(self, recorded: Recorded) -> bytes | None:
        """None where this kind of record is not for it."""
        ...


class Message(Struct, frozen=True):
    """A shaped record on its way to a sink."""

    seq: int
    id: str
    """The same at every try: what a receiver drops duplicates by."""
    body: bytes


class Undelivered(Exception):
    """A batch did not arrive. Its text is a plain sentence without secrets.

    With `refused`, the receiver is there and will not have these messages however often they are sent.
    """

    def __init__(self, text: str, *, refused: bool = False) -> None:
        super().__init__(text)
        self.refused = refused


class Sink(Protocol):
    """Where a reader of the ledger delivers to."""

    async def deliver(self, batch: Sequence[Message]) -> None:
        """Returning means that the receiver has them all. Raises `Undelivered`: some of them may have arrived."""
        ...

    async def aclose(self) -> None:
        """Let go of connections and files."""
        ...
