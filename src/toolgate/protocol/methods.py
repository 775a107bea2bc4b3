"""One table of methods: which way a message takes, what it names, where it exists. No if-chain elsewhere."""

from enum import StrEnum

from msgspec import Struct

from toolgate.model import Kind


class Way(StrEnum):
    """The kind of conversation a method is; the pipeline has one function for each."""

    UNARY = "unary"
    """One target, one answer."""
    LISTING = "listing"
    """Asked of every server behind the door, merged and filtered."""
    OPENING = "opening"
    """`initialize` and `server/discover`: who is behind the door and what it can do."""
    STREAM = "stream"
    """Messages that belong to no call."""
    SPREAD = "spread"
    """Told to every server of the session, answered by the gateway."""
    DEFERRED = "deferred"
    """About a tool call that is answered later."""
    LOCAL = "local"
    """Answered by the gateway alone."""


class Method(Struct, frozen=True):
    """What the gateway knows of one method."""

    way: Way
    kind: Kind = Kind.SERVER
    name: str = ""
    """The field of `params` that names the target."""
    items: str = ""
    """The field of a list result that holds the entries."""
    key: str = "name"
    """The field of an entry that names it."""
    repeatable: bool = False
    """Sending it twice does no harm, so a lost connection may be retried once."""
    modern: bool = True
    legacy: bool = True


MAY_ASK = frozenset({"prompts/get", "resources/read", "tools/call"})
"""What may be answered with questions (2026-07-28, basic/patterns/mrtr)."""

EXTENSION = Method(Way.UNARY)
"""A method that only an extension knows: passed on as it is, by the door of one server (E84)."""


class _Methods(dict[str, Method]):
    def __missing__(self, method: str) -> Method:
        return EXTENSION


METHODS: dict[str, Method] = _Methods(
    {
        "completion/complete": Method(Way.UNARY, repeatable=True),
        "initialize": Method(Way.OPENING, modern=False),
        "logging/setLevel": Method(Way.SPREAD, modern=False),
        "ping": Method(Way.LOCAL, modern=False),
        "prompts/get": Method(Way.UNARY, Kind.PROMPT, "name", repeatable=True),
        "prompts/list": Method(Way.LISTING, Kind.PROMPT, items="prompts", repeatable=True),
        "resources/list": Method(Way.LISTING, Kind.RESOURCE, items="resources", key="uri", repeatable=True),
        "resources/read": Method(Way.UNARY, Kind.RESOURCE, "uri", repeatable=True),
        "resources/subscribe": Method(Way.UNARY, Kind.RESOURCE, "uri", repeatable=True, modern=False),
        "resources/templates/list": Method(
            Way.LISTING, Kind.RESOURCE, items="resourceTemplates", key="uriTemplate", repeatable=True
        ),
        "resources/unsubscribe": Method(Way.UNARY, Kind.RESOURCE, "uri", repeatable=True, modern=False),
        "server/discover": Method(Way.OPENING, legacy=False, repeatable=True),
        "subscriptions/listen": Method(Way.STREAM, legacy=False),
        "tasks/cancel": Method(Way.DEFERRED, Kind.TOOL, "taskId"),
        "tasks/get": Method(Way.DEFERRED, Kind.TOOL, "taskId", repeatable=True),
        "tasks/result": Method(Way.DEFERRED, Kind.TOOL, "taskId", repeatable=True, modern=False),
        "tasks/update": Method(Way.DEFERRED, Kind.TOOL, "taskId", legacy=False),
        "tools/call": Method(Way.UNARY, Kind.TOOL, "name"),
        "tools/list": Method(Way.LISTING, Kind.TOOL, items="tools", repeatable=True),
    }
)


_NOT_FOR_SERVERS = ("elicitation/", "notifications/", "roots/", "sampling/", "tasks/")
"""What is never asked of a server, or not without binding its ids to the caller (E73)."""


def passes(method: str, door: str) -> bool:
    """Whether a method that is none of ours goes on to the server behind this door."""
    return bool(door) and method not in METHODS and not method.startswith(_NOT_FOR_SERVERS)


def find(method: str, *, modern: bool) -> Method | None:
    """The method as that kind of client may use it; None where it does not exist for it."""
    known = METHODS.get(method)
    if known is None or not (known.modern if modern else known.legacy):
        return None
    return known
