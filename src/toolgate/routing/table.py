"""From the name a client uses to the server and the server's own name. No I/O, no policy.

An unknown name and a hidden one read the same to the caller (E80); which it was is for the record.
"""

from collections.abc import Callable, Mapping

from msgspec import Struct, field

from toolgate.errors import INVALID_PARAMS, Refusal
from toolgate.model import Call, Kind, Target
from toolgate.ports import Upstream
from toolgate.protocol import names
from toolgate.protocol.methods import EXTENSION, METHODS

KNOWN = 4096
"""Routes a door remembers. Names come from callers and have no end: when it is full it starts anew."""

LONG = 256
"""Characters of a name too long to be remembered."""

_NOUNS = {Kind.TOOL: "tool", Kind.RESOURCE: "resource", Kind.PROMPT: "prompt"}


class Route(Struct, frozen=True, eq=False):
    """Where one call goes."""

    target: Target
    upstream: Upstream


class Door(Struct, frozen=True, eq=False):
    """One endpoint and the servers behind it, in the order of the config."""

    name: str
    servers: Mapping[str, Upstream]
    separator: str
    list_seconds: Mapping[str, float] = {}
    """How long the lists of servers hold that do not say so themselves, by server."""
    marks: Callable[[Kind, str], Mapping[str, str] | None] = lambda kind, server: None
    """A server's own names by the marks of their aliases (E49); None where its list was never read."""
    known: dict[tuple[str, str], Route] = field(default_factory=dict)
    """Routes by method and name, already found; bounded by `KNOWN`."""

    @property
    def shared(self) -> bool:
        """Whether names carry their server."""
        return self.name == ""


def resolve(door: Door, call: Call) -> Route:
    """The target of a call. Raises `Refusal` (-32602) where the door leads to no such server, and `Unlearned`."""
    if not call.name or len(call.name) > LONG:
        return _find(door, call)
    key = (call.method, call.name)
    route = door.known.get(key)
    if route is None:
        route = _find(door, call)
        if len(door.known) >= KNOWN:
            door.known.clear()
        door.known[key] = route
    return route


def _find(door: Door, call: Call) -> Route:
    kind, name = _kind_and_name(call)
    server, own = _divide(door, kind, name)
    upstream = door.servers.get(server)
    if upstream is None:
        raise unknown(kind, name, reason=f"no server {server!r} behind door {door.name!r}")
    if door.shared and kind in (Kind.TOOL, Kind.PROMPT):
        own = _behind_alias(door, kind, name, server, own)
    return Route(Target(kind, server, own), upstream)


class Unlearned(Exception):
    """A name may be an alias, and the list that would tell was never read. `method` reads it."""

    def __init__(self, server: str, method: str) -> None:
        super().__init__(f"{server}: {method}")
        self.server = server
        self.method = method


def _behind_alias(door: Door, kind: Kind, name: str, server: str, own: str) -> str:
    mark = names.marked(name)
    if mark is None:
        return own
    known = door.marks(kind, server)
    if known is None:
        raise Unlearned(server, f"{kind}s/list")
    whole = known.get(mark)
    return whole if whole is not None and names.join(server, whole, door.separator) == name else own


def resource(door: Door, uri: str) -> Target:
    """What a URI stands for behind this door; of a server that need not be there."""
    return Target(Kind.RESOURCE, *_divide(door, Kind.RESOURCE, uri))


def _kind_and_name(call: Call) -> tuple[Kind, str]:
    method = METHODS[call.method]
    if method.name:
        return method.kind, call.name
    if method is EXTENSION:
        return Kind.SERVER, ""
    ref = call.params.get("ref")
    if isinstance(ref, dict):
        if isinstance(ref.get("uri"), str):
            return Kind.RESOURCE, ref["uri"]
        if isinstance(ref.get("name"), str):
            return Kind.PROMPT, ref["name"]
    raise Refusal.invalid("params.ref names a prompt or a resource.", code=INVALID_PARAMS)


def _divide(door: Door, kind: Kind, name: str) -> tuple[str, str]:
    if not door.shared:
        return door.name, name
    if kind is Kind.RESOURCE:
        return names.split_uri(name)
    return names.split(name, door.separator)


def unknown(kind: Kind, name: str, *, reason: str) -> Refusal:
    """The one answer for what does not exist and what this caller may not know of."""
    return Refusal.unknown(f"Unknown {_NOUNS[kind]}: {name[:256]}", reason=reason)
