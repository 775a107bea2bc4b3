"""Middlewares, callers and requests by chance, from one seed: every construct comes up, in every nesting."""

from random import Random
from typing import Any

TOOLS = ("refund", "read_account", "list.all", "5", "true", "tools/call")
URIS = ("db://orders/1", "file:///etc/passwd", "refund")
METHODS = (
    "tools/call",
    "tools/list",
    "resources/read",
    "resources/list",
    "prompts/get",
    "prompts/list",
    "initialize",
    "ping",
)
KEYS = (
    "mcp.method",
    "mcp.params.name",
    "mcp.params.uri",
    "mcp.params.arguments.amount",
    "mcp.params.arguments.in",
    r"mcp.params.arguments.a\.b",
    r"mcp.params.arguments.back\\slash",
    "mcp.params.arguments.deep.er.value",
    "mcp.params.arguments.tags",
    "jwt.sub",
    "jwt.tools",
    "jwt.scope",
    "jwt.limit",
    "jwt.flag",
    r"jwt.https://claims\.example/dept",
    "jwt.nested.key",
)
TEXTS = (
    "refund",
    "read_account",
    "5",
    "0.5",
    "5.0",
    "-3",
    "true",
    "false",
    "",
    "a",
    "null",
    "1000",
    "db://",
    'q"q',
)
NUMBERS = ("5", "0.5", "-3", "1000", "0", "99999999999999999999")
VALUES: tuple[Any, ...] = (
    *TEXTS,
    5,
    5.0,
    0.5,
    -3,
    1000,
    0,
    0.0000001,
    1e21,
    2**53 + 1,
    True,
    False,
    None,
    "a,b,5",
    "a b",
    ["a", "refund", 5, 0.5, True, None, ["a"], {"a": 1}],
    [],
    {"value": 5},
    {},
)
SEPARATORS = (" ", ",", "")


class Chance:
    """One stream of chances."""

    def __init__(self, seed: int) -> None:
        self._of = Random(seed)

    def middleware(self) -> dict[str, Any]:
        """An `mcp` block. It refuses nothing that is always open in Toolgate."""
        policies = [self._policy() for _ in range(self._of.randint(0, 4))]
        for policy in policies:
            if self._of.random() < 0.3:
                policy["reason"] = "Because."
        mcp: dict[str, Any] = {"policies": policies}
        if self._of.random() < 0.6:
            mcp["defaultAction"] = self._of.choice(("allow", "deny"))
        if self._of.random() < 0.7:
            lists = range(self._of.randint(1, 3))
            mcp["listPolicies"] = [
                {"match": self.expression(2), "action": self._of.choice(("show", "hide"))} for _ in lists
            ]
            if self._of.random() < 0.7:
                mcp["listDefaultAction"] = self._of.choice(("show", "hide"))
        return mcp

    def _policy(self) -> dict[str, Any]:
        return {"match": self.expression(2), "action": self._of.choice(("allow", "deny"))}

    def expression(self, depth: int) -> str:
        """An expression of at most so many levels."""
        kind = self._of.random()
        if depth == 0 or kind < 0.35:
            return self._call()
        if kind < 0.55:
            inner = self._call() if self._of.random() < 0.5 else f"({self.expression(depth - 1)})"
            return f"!{inner}"
        operator = self._of.choice((" && ", " || ", "&&", "||"))
        parts = [self.expression(depth - 1) for _ in range(self._of.randint(2, 3))]
        joined = operator.join(parts)
        return f"({joined})" if self._of.random() < 0.5 else joined

    def _call(self) -> str:
        name = self._of.choice(
            ("Equals", "Equals", "Prefix", "Contains", "SplitContains", "OneOf", "Lt", "Lte", "Gt", "Gte")
        )
        key = self._of.choice(KEYS)
        if name in ("Lt", "Lte", "Gt", "Gte"):
            values = [
                f"${{{self._of.choice(KEYS)}}}" if self._of.random() < 0.4 else self._of.choice(NUMBERS)
            ]
        elif name == "SplitContains":
            values = [self._of.choice(SEPARATORS), self._text()]
        else:
            many = self._of.randint(1, 3) if name == "OneOf" else 1
            values = [self._text(key) for _ in range(many)]
        return f"{name}({', '.join(self._quoted(text) for text in (key, *values))})"

    def _text(self, key: str = "") -> str:
        if key == "mcp.method" and self._of.random() < 0.8:
            return self._of.choice(METHODS)
        if key in ("mcp.params.name", "mcp.params.uri") and self._of.random() < 0.6:
            return self._of.choice(TOOLS + URIS)
        plain = self._of.choice(TEXTS)
        if self._of.random() < 0.3:
            filled = f"${{{self._of.choice(KEYS)}}}"
            return filled if self._of.random() < 0.7 else plain + filled
        return plain

    def _quoted(self, text: str) -> str:
        if "`" in text or self._of.random() < 0.2:
            escaped = text.replace("\\", "\\\\").replace('"', '\\"')
            return f'"{escaped}"'
        return f"`{text}`"

    def claims(self) -> dict[str, Any]:
        """A caller's claims."""
        keys = ("sub", "tools", "scope", "limit", "flag", "https://claims.example/dept", "nested")
        found = {key: self._of.choice(VALUES) for key in keys if self._of.random() < 0.7}
        if "tools" in found and self._of.random() < 0.6:
            found["tools"] = self._of.sample(TOOLS, 3)
        if "nested" in found and self._of.random() < 0.6:
            found["nested"] = {"key": self._of.choice(VALUES)}
        return found

    def arguments(self) -> dict[str, Any]:
        """Arguments of a call."""
        keys = ("amount", "in", "a.b", "back\\slash", "deep", "tags")
        found = {key: self._of.choice(VALUES) for key in keys if self._of.random() < 0.6}
        if "deep" in found and self._of.random() < 0.6:
            found["deep"] = {"er": {"value": self._of.choice(VALUES)}}
        return found

    def target(self) -> tuple[str, str]:
        """A method that aims at something, and what at."""
        method = self._of.choice(("tools/call", "tools/call", "resources/read", "prompts/get"))
        return method, self._of.choice(URIS if method == "resources/read" else TOOLS)
