"""Where a key path of Traefik's finds its value here, and whether it is there at all. Compares nothing.

Traefik judges bodies; Toolgate judges calls of tools, resources and prompts, and the items of lists. A scene is one
of these: it says what each path means in it.
"""

import re
from collections.abc import Mapping

from msgspec import Struct

from toolgate.imports.traefik.expression import ExpressionError, Key
from toolgate.imports.traefik.formula import Formula, Text, quoted
from toolgate.model import Kind

_FIELD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_RESERVED = frozenset(
    "as break const continue else false for function if import in let loop namespace null package return true "
    "var void while".split()
)
CALLS: Mapping[Kind, tuple[str, ...]] = {
    Kind.TOOL: ("tools/call",),
    Kind.RESOURCE: (
        "completion/complete",
        "resources/read",
        "resources/subscribe",
        "resources/unsubscribe",
        "subscriptions/listen",
    ),
    Kind.PROMPT: ("completion/complete", "prompts/get"),
}
"""The methods that aim at a target of a kind."""
LISTS = {Kind.TOOL: "tools/list", Kind.RESOURCE: "resources/list", Kind.PROMPT: "prompts/list"}


class Absent(Struct, frozen=True):
    """There is no such value."""


class Certain(Struct, frozen=True):
    """A text that is always there. `among` holds all it can be, where that is known."""

    cel: str
    among: tuple[str, ...] = ()


class Possible(Struct, frozen=True):
    """A value of any type that may be missing; `there` is when it is not."""

    cel: str
    there: tuple[Formula, ...]


Value = Absent | Certain | Possible


class Scene(Struct, frozen=True):
    """What is judged: a call, the items of a list, or the request for a list."""

    kind: Kind
    call: bool
    item: bool

    def find(self, key: Key) -> Value:
        """The value at a path. Raises `ExpressionError` for a path that says nothing here."""
        root, *steps = key.steps
        if root == "mcp":
            return self._of_message(key, steps)
        if root == "user":
            return _walked("claims", steps, key)
        if root == "jwt":
            # Early-access builds had the claims one level deeper.
            return _walked("claims", steps[1:] if steps[:1] == ["claims"] and steps[1:] else steps, key)
        raise ExpressionError(f"there is no root `{root}`.", key.at, "Paths begin with mcp. or jwt.")

    def _of_message(self, key: Key, steps: list[str]) -> Value:
        match steps:
            case ["method"]:
                return self._method()
            case ["params", "name"]:
                return self._name()
            case ["params", "uri"]:
                uri = self.kind is Kind.RESOURCE and (self.call or self.item)
                return Certain("resource.uri") if uri else Absent()
            case ["params", "arguments", *rest] if rest:
                return _walked("args", rest, key) if self.call else Absent()
        raise ExpressionError(
            f"`{key.text}` is not known to conditions.",
            key.at,
            "Of a message there is mcp.method, mcp.params.name, mcp.params.uri and mcp.params.arguments.<key>.",
        )

    def _method(self) -> Value:
        among = CALLS[self.kind] if self.call else (LISTS[self.kind],)
        return Certain("method" if len(among) > 1 else quoted(among[0]), among)

    def _name(self) -> Value:
        if not (self.call or self.item):
            return Absent()
        if self.kind is Kind.RESOURCE:
            # A read has no name; in a list the item stands where the name is, and a resource's is its URI.
            return Certain("resource.uri") if self.item else Absent()
        return Certain(f"{self.kind}.name")


def _walked(root: str, steps: list[str], key: Key) -> Value:
    if not steps:
        raise ExpressionError(f"`{key.text}` is no single value.", key.at, "Name a key below it.")
    cel, there = root, list[Formula]()
    for number, step in enumerate(steps):
        if number:
            there.append(Text(f"type({cel}) == map", 2))
        if _FIELD.fullmatch(step) and step not in _RESERVED:
            cel = f"{cel}.{step}"
            there.append(Text(f"has({cel})"))
        else:
            there.append(Text(f"{cel}[?{quoted(step)}].hasValue()"))
            cel = f"{cel}[{quoted(step)}]"
    return Possible(cel, tuple(there))
