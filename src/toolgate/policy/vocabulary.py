"""The words of a condition: what it may read, and when each is known. Knows no CEL library and no call."""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from enum import IntEnum

from msgspec import Struct


class Stage(IntEnum):
    """When a value is known. A condition is as late as the latest of what it reads."""

    SETTLED = 0
    """Fixed by caller and target: decided once, then remembered."""
    CATALOG = 1
    """Known to lists too, but may change while the gateway runs."""
    CALL = 2
    """Known only with the call before us."""


class Variable(Struct, frozen=True):
    """One variable."""

    type: str
    stage: Stage
    text: str
    fields: tuple[str, ...] = ()
    """The only keys there can be; empty: any."""
    late: tuple[str, ...] = ()
    """Fields that the catalogue knows, whatever the stage says."""


Reads = Mapping[str, frozenset[str] | None]
"""Variable to the keys read of it; None where the whole of it may be read."""

VARIABLES: Mapping[str, Variable] = {
    "agent": Variable("string", Stage.SETTLED, "Agent id. Not known: reading it is an error."),
    "user": Variable("string", Stage.SETTLED, "User id. Not known: reading it is an error."),
    "tenant": Variable("string", Stage.SETTLED, "Tenant. Not known: reading it is an error."),
    "caller": Variable(
        "map",
        Stage.SETTLED,
        "The same three, where known: `has(caller.agent)` asks whether they are.",
        fields=("agent", "user", "tenant"),
    ),
    "roles": Variable("list", Stage.SETTLED, "The caller's roles."),
    "scopes": Variable("list", Stage.SETTLED, "OAuth scopes of the caller's credential."),
    "tags": Variable("list", Stage.SETTLED, "The caller's tags."),
    "claims": Variable("map", Stage.SETTLED, "All claims of the caller's token."),
    "task": Variable(
        "map",
        Stage.SETTLED,
        "The task the caller acts under; without one it has no keys.",
        fields=("id", "name", "attributes"),
    ),
    "environment": Variable("map", Stage.SETTLED, "What the gateway's config says of where it runs."),
    "tool": Variable(
        "map",
        Stage.SETTLED,
        "The tool called; title, annotations and tags where the catalogue knows the tool.",
        fields=("server", "name", "title", "annotations", "tags"),
        late=("title", "annotations", "tags"),
    ),
    "resource": Variable("map", Stage.SETTLED, "The resource read.", fields=("server", "uri")),
    "prompt": Variable("map", Stage.SETTLED, "The prompt expanded.", fields=("server", "name")),
    "args": Variable("map", Stage.CALL, "Arguments of the call, as JSON gives them."),
    "method": Variable("string", Stage.CALL, "MCP method, such as `tools/call`."),
    "client": Variable(
        "map",
        Stage.CALL,
        "Peer address, and the name the client gives itself (a claim of its own, never a proof).",
        fields=("ip", "name"),
    ),
    "protocol": Variable("map", Stage.CALL, "MCP revision the client speaks.", fields=("revision",)),
    "total": Variable(
        "map",
        Stage.CALL,
        "Sums declared under `totals`, this call counted in: `total.transfers_today <= 50000`.",
    ),
    # A map cannot hold a timestamp in this CEL library, so the parts of `now` are variables with a dot.
    "now.hour": Variable("int", Stage.CALL, "Hour in UTC, 0 to 23."),
    "now.minute": Variable("int", Stage.CALL, "Minute, 0 to 59."),
    "now.weekday": Variable("int", Stage.CALL, "Day of the week in UTC, Monday 1 to Sunday 7."),
    "now.date": Variable("string", Stage.CALL, "Date in UTC, such as `2026-11-20`."),
    "now.epoch": Variable("int", Stage.CALL, "Seconds since 1970."),
    "now.timestamp": Variable(
        "timestamp", Stage.CALL, 'For comparisons and other zones: `now.timestamp.getHours("Europe/Berlin")`.'
    ),
}

FUNCTIONS: Mapping[str, tuple[str, str]] = {
    "has": ("has(args.note)", "whether a key is there"),
    "size": ("size(args.note) < 100", "characters, elements or keys"),
    "all": ("args.items.all(item, item > 0)", "true for every element (10,000 at most)"),
    "exists": ('roles.exists(role, role.startsWith("ops-"))', "true for some element"),
    "exists_one": ("args.items.exists_one(item, item == 1)", "true for exactly one element"),
    "filter": ("size(args.items.filter(item, item > 1)) == 1", "the elements for which it is true"),
    "map": ("2 in args.items.map(item, item * 2)", "every element, changed"),
    "contains": ('args.note.contains("a")', "text within text"),
    "startsWith": ('args.note.startsWith("a")', "beginning of a text"),
    "endsWith": ('args.note.endsWith("c")', "end of a text"),
    "matches": ('args.note.matches("^[a-z]+$")', "RE2 regular expression, in linear time"),
    "lowerAscii": ('args.note.lowerAscii() == "abc"', "A to Z made small"),
    "upperAscii": ('args.note.upperAscii() == "ABC"', "a to z made large"),
    "trim": ('args.note.trim() == "abc"', "without spaces at both ends"),
    "replace": ('args.note.replace("a", "b") == "bbc"', "text exchanged"),
    "split": ('args.note.split("b") == ["a", "c"]', "text in pieces"),
    "join": ('["a", "b"].join("-") == "a-b"', "pieces to text"),
    "substring": ('args.note.substring(1) == "bc"', "part of a text"),
    "int": ("int(args.count) > 3", "text or number to integer"),
    "double": ("double(args.count) > 3.5", "text or number to decimal number"),
    "string": ('string(args.amount) == "12500"', "anything simple to text"),
    "text": ('text(args.amount) == "12500"', "text, number or truth value to text, every digit kept"),
    "orValue": ("args.?limit.orValue(10) < 100", "a value for a key that may be missing"),
    "hasValue": ("!args.?limit.hasValue()", "whether an optional key is there"),
    "timestamp": ('now.timestamp < timestamp("2030-01-01T00:00:00Z")', "a moment"),
    "duration": ('now.timestamp - timestamp(args.since) > duration("24h")', "a span of time"),
    "getHours": ('now.timestamp.getHours("Europe/Berlin") >= 0', "hour, in a zone if named"),
    "getMinutes": ("now.timestamp.getMinutes() >= 0", "minute"),
    "getDayOfWeek": ('now.timestamp.getDayOfWeek("Asia/Tokyo") >= 0', "day of the week, Sunday 0"),
    "getDayOfMonth": ("now.timestamp.getDayOfMonth() >= 0", "day of the month, the first is 0"),
    "getMonth": ("now.timestamp.getMonth() >= 0", "month, January 0"),
    "getFullYear": ("now.timestamp.getFullYear() > 2000", "year"),
    "math.greatest": ("math.greatest(args.amount, 1) > 1", "the largest"),
    "math.least": ("math.least(args.amount, 1) == 1", "the smallest"),
    "math.abs": ("math.abs(args.amount) > 1", "without its sign"),
    "sets.contains": (
        'sets.contains(["a", "b"], args.names)',
        "whether the first list holds all of the second",
    ),
    "sets.intersects": ('!sets.intersects(args.names, ["root"])', "whether two lists share an element"),
    "sets.equivalent": (
        'sets.equivalent(args.names, ["a"])',
        "whether two lists hold the same, in any order",
    ),
    "date": (
        'date(args.day) > now.timestamp - duration("720h")',
        "a day such as 2026-11-20, at midnight UTC",
    ),
    "cidr": ('cidr("10.0.0.0/8").containsIP(args.ip)', "a range of addresses"),
    "containsIP": (
        '["10.0.0.0/8", "fd00::/8"].exists(range, cidr(range).containsIP(args.ip))',
        "one of them",
    ),
    "under": (
        'under(args.file, "/srv/reports")',
        "a path below a root once `..` is followed; links are not seen",
    ),
    "url": ('url(args.url).host == "api.example.com"', "its scheme, host, port, path and query"),
    "route": (
        'route(args.url, "/v1/users/{id}")',
        "whether a path or URL has this form; `/*` ends an open one",
    ),
    "sql": (
        'sql(args.query, "postgres").reads_only && sets.contains(["orders"], sql(args.query, "postgres").tables)',
        "what an SQL text does: statements, reads_only, verb, verbs, tables, schemas, columns, has_where; the "
        "dialect (postgres, mysql, sqlite, tsql, bigquery) may be left out where the server's config names it",
    ),
}
"""Function to an example of its use and a few words on it. The usual operators of CEL come on top."""


def collect(paths: Iterable[tuple[str, ...]]) -> tuple[Reads, list[str]]:
    """What these paths read, with a complaint for each field that cannot exist.

    A path is a name and the constant keys after it; names that are not ours are local to the condition.
    """
    reads: dict[str, set[str] | None] = {}
    complaints: list[str] = []
    for name, *keys in paths:
        variable = VARIABLES.get(name)
        if variable is None:
            continue
        if not keys or reads.get(name, ()) is None:
            reads[name] = None
            continue
        known = reads.setdefault(name, set())
        assert known is not None
        known.add(keys[0])
        if variable.fields and keys[0] not in variable.fields:
            hint = suggest(keys[0], variable.fields) or f"It has: {', '.join(variable.fields)}."
            complaints.append(f"`{name}` has no `{keys[0]}`. {hint}")
    return {name: None if keys is None else frozenset(keys) for name, keys in reads.items()}, complaints


def stage_of(name: str, keys: frozenset[str] | None) -> Stage:
    """When this much of a variable is known."""
    variable = VARIABLES[name]
    if variable.late and (keys is None or not keys.isdisjoint(variable.late)):
        return Stage.CATALOG
    return variable.stage


def suggest(word: str, among: Iterable[str]) -> str:
    """`Did you mean …?`, or nothing where no word is near."""
    close = get_close_matches(word, among, n=1, cutoff=0.6)
    return f"Did you mean `{close[0]}`?" if close else ""


def suggest_name(word: str) -> str:
    """The word a condition probably meant, where it wrote one that we do not have."""
    root = word.split(".")[0]
    first_words = {name.split(".")[0] for name in VARIABLES}
    if root not in first_words:
        return suggest(root, sorted(first_words | FUNCTIONS.keys()))
    parts = [name for name in VARIABLES if name.startswith(f"{root}.")]
    return suggest(word, parts) or f"There is: {', '.join(parts)}."
