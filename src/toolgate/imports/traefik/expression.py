"""The expressions of `match`: text in, a tree out. Knows the grammar, not where values come from.

    or   := and { "||" and }
    and  := not { "&&" not }
    not  := "!" not | "(" or ")" | call
    call := name "(" literal { "," literal } ")"

Literals are Go's: as they are between back-ticks, with escapes between double quotes. The first one of a call is
a key path, in which `\\.` is a dot and `\\\\` a backslash; in the others `${path}` stands for the value at a path.
"""

import re
from typing import NoReturn

from msgspec import Struct

MAX_DEPTH = 64
"""Levels of parentheses and negations."""

FEWEST = {
    "Equals": 1,
    "Prefix": 1,
    "Contains": 1,
    "SplitContains": 2,
    "OneOf": 1,
    "Lt": 1,
    "Lte": 1,
    "Gt": 1,
    "Gte": 1,
}
"""The functions, and how many literals each takes after the key; `OneOf` takes more, too."""

_SPACE = re.compile(r"\s*")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_RAW = re.compile(r"`([^`]*)`")
_QUOTED = re.compile(r'"((?:[^"\\\n]|\\.)*)"')
_ESCAPE = re.compile(r"\\(?:([abfnrtv\\\"])|x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.))", re.S)
_PLAIN = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "\\": "\\", '"': '"'}
_HINTS = {
    "NotEquals": "Traefik has none; write !Equals(...).",
    "HasPrefix": "Write Prefix(...).",
    "In": "Write OneOf(...) or Contains(...).",
}


class ExpressionError(Exception):
    """What cannot be read or carried over, with its place in the expression (from 1) and a remedy."""

    def __init__(self, text: str, at: int, remedy: str = "") -> None:
        super().__init__(text)
        self.text = text
        self.at = at + 1
        self.remedy = remedy


class Key(Struct, frozen=True):
    """A path to a value: a root and what follows it."""

    steps: tuple[str, ...]
    text: str
    """As written."""
    at: int
    """Where it stands in the expression, from 0."""


class Literal(Struct, frozen=True):
    """Text with the values of keys in it."""

    parts: tuple[str | Key, ...]
    at: int


class Test(Struct, frozen=True):
    """A call of a function."""

    function: str
    key: Key
    values: tuple[Literal, ...]


class Not(Struct, frozen=True):
    """What is false otherwise."""

    part: "Tree"


class Both(Struct, frozen=True):
    """All of them."""

    parts: tuple["Tree", ...]


class Either(Struct, frozen=True):
    """One of them."""

    parts: tuple["Tree", ...]


Tree = Test | Not | Both | Either


def read_expression(text: str) -> Tree:
    """The tree of an expression. Raises `ExpressionError`."""
    reading = _Reading(text)
    tree = reading.either(0)
    if reading.at < len(text):
        reading.fail("expected && or || or the end here.")
    return tree


class _Reading:
    def __init__(self, text: str) -> None:
        self._text = text
        self.at = 0
        self._skip()

    def fail(self, text: str, at: int | None = None, remedy: str = "") -> NoReturn:
        raise ExpressionError(text, self.at if at is None else at, remedy)

    def either(self, depth: int) -> Tree:
        parts = [self._both(depth)]
        while self._takes("||"):
            parts.append(self._both(depth))
        return parts[0] if len(parts) == 1 else Either(tuple(parts))

    def _both(self, depth: int) -> Tree:
        parts = [self._not(depth)]
        while self._takes("&&"):
            parts.append(self._not(depth))
        return parts[0] if len(parts) == 1 else Both(tuple(parts))

    def _not(self, depth: int) -> Tree:
        if depth > MAX_DEPTH:
            self.fail(f"nested deeper than {MAX_DEPTH} levels.", remedy="Split the policy in two.")
        if self._takes("!"):
            return Not(self._not(depth + 1))
        if self._takes("("):
            tree = self.either(depth + 1)
            self._needs(")")
            return tree
        return self._test()

    def _test(self) -> Test:
        start = self.at
        found = _NAME.match(self._text, start)
        if found is None:
            self.fail("expected a function such as Equals(`mcp.method`, `tools/call`) here.")
        name = found[0]
        if name not in FEWEST:
            near = next((known for known in FEWEST if known.lower() == name.lower()), None)
            known = f"Write {near}(...)." if near else f"There is: {', '.join(FEWEST)}."
            self.fail(f"there is no function {name}.", remedy=_HINTS.get(name, known))
        self._move(found.end())
        self._needs("(")
        literals = [self._literal()]
        while self._takes(","):
            literals.append(self._literal())
        self._needs(")")
        (key_text, key_at), *rest = literals
        fewest = FEWEST[name]
        if len(rest) < fewest or (len(rest) > fewest and name != "OneOf"):
            self.fail(f"{name} takes a key and {fewest} more, not {len(rest)}.", start)
        return Test(name, _key(key_text, key_at), tuple(_literal(text, at) for text, at in rest))

    def _literal(self) -> tuple[str, int]:
        at = self.at
        if found := _RAW.match(self._text, at):
            self._move(found.end())
            # Go takes carriage returns out of raw strings.
            return found[1].replace("\r", ""), at
        if found := _QUOTED.match(self._text, at):
            self._move(found.end())
            return _ESCAPE.sub(lambda one: _unescaped(one, at), found[1]), at
        single = self._text[at : at + 1] == "'"
        remedy = "Single quotes are not read." if single else ""
        raise ExpressionError("expected text between back-ticks here.", at, remedy)

    def _takes(self, token: str) -> bool:
        if self._text.startswith(token, self.at):
            self._move(self.at + len(token))
            return True
        return False

    def _needs(self, token: str) -> None:
        if not self._takes(token):
            self.fail(f"expected {token} here.")

    def _move(self, at: int) -> None:
        self.at = at
        self._skip()

    def _skip(self) -> None:
        found = _SPACE.match(self._text, self.at)
        assert found is not None
        self.at = found.end()


def _unescaped(found: re.Match[str], at: int) -> str:
    plain, *codes, other = found.groups()
    code = next((code for code in codes if code), None)
    if plain:
        return _PLAIN[plain]
    if code is None or int(code, 16) > 0x10FFFF or 0xD800 <= int(code, 16) < 0xE000:
        remedy = "Put the text between back-ticks."
        raise ExpressionError(f"the escape \\{other or 'u'} is not one of Go's.", at, remedy)
    if len(code) == 2 and int(code, 16) > 0x7F:
        raise ExpressionError("\\x escapes above 7f are bytes, not text.", at, "Write the character itself.")
    return chr(int(code, 16))


def _key(text: str, at: int) -> Key:
    """The steps of a path. Raises `ExpressionError`."""
    if "${" in text:
        raise ExpressionError(
            "a key cannot hold ${...}.", at, "Only the texts after the key can; write the key out."
        )
    steps = [""]
    escaped = False
    for char in text:
        if escaped:
            if char not in ".\\":
                remedy = "Only \\. and \\\\ are escapes in a key."
                raise ExpressionError(f"\\{char} is no escape.", at, remedy)
            steps[-1] += char
            escaped = False
        elif char == "\\":
            escaped = True
        elif char == ".":
            steps.append("")
        else:
            steps[-1] += char
    if escaped or not all(steps):
        raise ExpressionError(f"`{text}` is no key path.", at, "Write it as in `mcp.params.name`.")
    return Key(tuple(steps), text, at)


def _literal(text: str, at: int) -> Literal:
    parts: list[str | Key] = []
    rest = text
    while rest:
        before, dollar, after = rest.partition("${")
        if before:
            parts.append(before)
        if not dollar:
            break
        path, brace, rest = after.partition("}")
        if not brace:
            raise ExpressionError("${ is not closed.", at, "Write ${path}.")
        parts.append(_key(path, at))
    return Literal(tuple(parts), at)
