"""The nouns every other file speaks. Data only: a method that needs another module is in the wrong file."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from enum import StrEnum
from typing import Any, Protocol

from msgspec import Struct


class Kind(StrEnum):
    """What a call is aimed at: the three primitives of MCP, or the server as a whole."""

    TOOL = "tool"
    RESOURCE = "resource"
    PROMPT = "prompt"
    SERVER = "server"


class Effect(StrEnum):
    """What a decision says. `DEPENDS` is an answer of lists only: arguments or time will decide."""

    ALLOW = "allow"
    DENY = "deny"
    APPROVE = "approve"
    DEPENDS = "depends"


class Outcome(StrEnum):
    """How a call ended, as the record says it."""

    OK = "ok"
    TOOL_ERROR = "tool_error"
    """The tool answered with `isError`: a result, not a failure of the protocol."""
    ERROR = "error"
    """The upstream answered with a JSON-RPC error."""
    REFUSED = "refused"
    CANCELLED = "cancelled"
    CUT = "cut"
    """The stream ended before the answer."""
    BUG = "bug"


class Secret:
    """A text that no log, error or record repeats: it has no words of its own and cannot be written as JSON."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return "Secret(***)"

    def reveal(self) -> str:
        """The text. Only for whoever sends it where it belongs."""
        return self._text


class Task(Struct, frozen=True):
    """The piece of work a caller acts under."""

    id: str
    name: str = ""
    attributes: Mapping[str, Any] = {}
    tools: tuple[str, ...] | None = None
    """`server/tool` patterns that it is limited to; None: it limits nothing."""
    expires: float | None = None
    """Unix seconds after which it gives no rights."""


class Principal(Struct, frozen=True, eq=False):
    """Who calls: a user, an agent acting for one, or a service. Hashable by identity, so that what depends
    on it alone is remembered per object; the identity stage hands out one object per verified credential.
    """

    id: str
    """Stable and unique: names sessions and upstream children. Never shown to callers."""
    method: str
    """How it was verified: `api_key`, `jwt`, `anonymous` or `local`."""
    agent: str | None = None
    user: str | None = None
    tenant: str | None = None
    actors: tuple[str, ...] = ()
    """Through whom the call came, the latest first (`act` of RFC 8693); only the first acts now."""
    roles: tuple[str, ...] = ()
    scopes: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    task: Task | None = None
    asserted_task: str | None = None
    """The task it says it acts under, by its own word alone."""
    claims: Mapping[str, Any] = {}
    bound: bool = False
    """Whether the credential is worth something only with a proof, asked for at every call (`cnf`)."""
    expires: float | None = None
    """Unix seconds after which the credential is worth nothing."""
    credential: Secret | None = None
    """The verified token, for servers it is exchanged or forwarded for; None for other ways to be known."""


class Target(Struct, frozen=True):
    """What a call is aimed at, by the upstream's own name."""

    kind: Kind
    server: str
    name: str
    """Tool or prompt name, resource URI; empty for the server as a whole."""

    def __str__(self) -> str:
        return f"{self.server}/{self.name}" if self.name else self.server


class Session(Struct, frozen=True):
    """A client's session of the revisions up to 2025-11-25. All of it lives sealed in the session id."""

    id: str
    """Random; names what the gateway holds for the session. Never the id the client carries."""
    principal: str
    revision: str
    capabilities: Mapping[str, Any]
    client: Mapping[str, Any]
    expires: float
    upstreams: Mapping[str, str] = {}
    """Session ids of the upstreams as of `initialize`, by server: a restarted gateway goes on with them."""


class Shown(Struct, frozen=True):
    """What a request shows of its sender beside a token or key, and what such a proof is about."""

    method: str
    origin: str
    """Scheme and `Host`, as the client wrote it."""
    path: str
    dpop: str | None = None
    certificate: bytes | None = None
    """The certificate of the connection (DER), checked in the handshake."""
    forwarded_certificate: str | None = None
    """`x-forwarded-client-cert`. Worth nothing unless it comes from a proxy that is believed."""
    forwarded_user: str | None = None
    """`x-forwarded-user`, likewise."""


class Call(Struct, eq=False):
    """One JSON-RPC message from a client, read and checked. Arguments are what the bytes say, no more."""

    revision: str
    """The MCP revision this message is spoken in."""
    door: str
    """Where it came in: `""` for the aggregate, else the name of one server."""
    method: str
    body: bytes
    """The message as received; unchanged parts leave the gateway as these bytes."""
    params: Mapping[str, Any]
    id: bytes | None = None
    """The JSON text of the id; None for notifications and responses."""
    name: str = ""
    """What the message names (`params.name`, `params.uri`), as the client knows it."""
    authorization: str | None = None
    api_key: str | None = None
    task_token: str | None = None
    languages: str | None = None
    """What the client likes to read, as `Accept-Language` says it."""
    shown: Shown | None = None
    client_ip: str = ""
    local: bool = False
    """Came over the gateway's own standard input."""
    session_text: str | None = None
    """The sealed session id as the client sent it; `session` is what it opens to for this principal."""
    session: Session | None = None
    headers: tuple[tuple[bytes, bytes], ...] = ()
    """`Mcp-Param-*` headers: forwarded unless a schema says otherwise."""
    cancelled: bool = False
    """Set where the client took the call back."""
    traceparent: str | None = None
    tracestate: str | None = None
    """The W3C trace context of the headers; `params._meta` has one of its own, which goes before."""
    onward: str | None = None
    """The `traceparent` for the next hop, where tracing is configured."""


class Hold(Struct, frozen=True, eq=False):
    """What a decision counted for a call whose end is not known yet."""

    counted: Mapping[str, Any]
    """By total: for whom it is kept, and the amount."""
    give_back: Callable[[], object]
    """To be called where the call did nothing."""


class Decision(Struct, frozen=True):
    """What policy says, and why."""

    effect: Effect
    rule: str | None = None
    """Id of the rule that decided; None where nothing matched and the default did."""
    reason: str | None = None
    """What the policy's author wants the caller to read."""
    reasons: Mapping[str, str] = {}
    """The same in other languages, by tag."""
    policy: str = ""
    """Version of the policy set: a content hash."""
    errors: tuple[str, ...] = ()
    """Conditions that failed to evaluate, as `rule: message`; counted fail-closed already."""
    hold: Hold | None = None
    """Set where the call was counted in totals."""
    scopes: tuple[str, ...] = ()
    """What the call demands of the caller's token, where that is all it lacks."""


class Promise(Awaitable[None], Protocol):
    """When something is safe in the ledger. Awaiting it raises what `then` is told."""

    def then(self, told: Callable[[Exception | None], None]) -> None:
        """Call this once it is decided: with None where it is safe, else with the `Refusal` to answer."""
        ...


class Reply(Struct, eq=False):
    """What an upstream answered: one whole message, or a stream of whole messages that ends with the response.

    Each message is one JSON-RPC object as bytes, with the ids of the upstream hop.
    """

    message: bytes | None = None
    stream: AsyncGenerator[bytes, None] | None = None
    status: int = 200
    session: str | None = None
    """The sealed id of a session that begins with this answer."""
    be_patient: Callable[[], None] | None = None
    """Lets the stream be silent for long: its server waits for a person, which the stream itself does not show."""
    recorded: Promise | None = None
    """Before this the message must not leave; None where it may at once."""


class Record(Struct, omit_defaults=True):
    """One line of the ledger about one call. Opened first, closed last; field order is the canonical order."""

    id: str
    ts: str
    """UTC, RFC 3339 with microseconds: when the call came in."""
    event: str = "call"
    """`call`; `begin` and `end` where a stream was released before its end; `gateway` for our own acts."""
    method: str = ""
    revision: str = ""
    upstream_revision: str | None = None
    """What the server spoke where that is the other kind of MCP than the client's `revision`."""
    door: str = ""
    client_ip: str = ""
    session: str | None = None
    auth: str | None = None
    principal: str | None = None
    agent: str | None = None
    user: str | None = None
    tenant: str | None = None
    actors: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    scopes: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    task: str | None = None
    asserted_task: str | None = None
    kind: str | None = None
    server: str | None = None
    target: str | None = None
    arguments_digest: str | None = None
    arguments: Any = None
    sealed: str | None = None
    """The arguments, encrypted: the id of the key, a dot, and base64 of nonce and text."""
    sealed_who: str | None = None
    """Who the person is, likewise; `principal` and `user` are then a pseudonym that starts with `~`."""
    decision: str | None = None
    rule: str | None = None
    reason: str | None = None
    policy: str | None = None
    condition_errors: tuple[str, ...] = ()
    totals: Mapping[str, Any] | None = None
    """What the call added to totals, as `{total: [per, amount]}`; None where nothing, or it was taken back."""
    config: str | None = None
    outcome: str | None = None
    code: int | None = None
    incident: str | None = None
    detail: str | None = None
    """What the caller was not told."""
    upstream_us: int | None = None
    total_us: int | None = None
    request_bytes: int | None = None
    response_bytes: int | None = None
    messages: int | None = None
    trace: str | None = None
    """The caller's `traceparent`, where tracing is configured and the call brought one."""
