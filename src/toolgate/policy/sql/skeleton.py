"""SQL text with its quotes and comments taken out, or a refusal where two readers might not agree. No grammar.

A parser reads by one set of rules; the server may be set to others (backslashes, executable comments, nested
comments, quotes). Whatever would then end elsewhere is refused here, before any parser sees it.
"""

import re
import unicodedata
from collections.abc import Mapping

from toolgate.policy.functions import Unreadable

MAX_TEXT = 8_000
"""Characters: a parser in Python takes some 5 µs for each, and nothing else is answered meanwhile."""
MAX_DEPTH = 24
"""Nested brackets: parsers try alternatives at each."""

# What opens a quotation, and the quote that closes it; a closing quote written twice stands for itself.
_BRACKETS = {"[": "]"}
_BACKTICKS = {"`": "`"}
_QUOTES: Mapping[str, Mapping[str, str]] = {
    "postgres": {"'": "'", '"': '"'},
    "mysql": {"'": "'", '"': '"', **_BACKTICKS},
    "sqlite": {"'": "'", '"': '"', **_BACKTICKS, **_BRACKETS},
    "tsql": {"'": "'", '"': '"', **_BRACKETS},
    "bigquery": {"'": "'", '"': '"', **_BACKTICKS},
}

_HASH_COMMENTS = ("mysql", "bigquery")
_DOLLAR = re.compile(r"\$(?:[A-Za-z_]\w*)?\$")
_TRIPLES = ("'''", '"""')
# Quotes whose inside is read by other rules: Postgres U&'..', MySQL _charset'..'.
_PREFIXED = re.compile(r"(?:\b[uU]&|(?<![\w$.])_\w+\s*)$")
_SPACES = frozenset(" \t\n\r")


class Unclear(Unreadable):
    """The text may be read in two ways, or is too large to be read. Its words hold nothing of the text."""


def skeleton(text: str, dialect: str) -> str:
    """The text with `''` for every string, `"q"` for every quoted name, and a space for every comment.

    Raises `Unclear`.
    """
    if len(text) > MAX_TEXT:
        raise Unclear(f"the SQL is longer than {MAX_TEXT} characters")
    out: list[str] = []
    at = depth = 0
    while at < len(text):
        piece, at = _piece(text, at, dialect, out)
        depth += (piece == "(") - (piece == ")")
        if depth > MAX_DEPTH:
            raise Unclear(f"the SQL nests deeper than {MAX_DEPTH} brackets")
        out.append(piece)
    return "".join(out)


def _piece(text: str, at: int, dialect: str, before: list[str]) -> tuple[str, int]:
    """What stands at `at`, as the skeleton shows it, and where the next piece begins."""
    char = text[at]
    if text.startswith("/*", at):
        return " ", _past_comment(text, at)
    if text.startswith("--", at) or (char == "#" and dialect in _HASH_COMMENTS):
        return " ", _past_line(text, at, dialect)
    if char == "$" and (found := _DOLLAR.match(text, at)):
        return "''", _past_dollars(text, found, dialect)
    if char in _QUOTES[dialect]:
        if _PREFIXED.search("".join(before[-24:])):
            raise Unclear("a string or name is written in a way that hides its letters")
        end = _past_quote(text, at, dialect)
        return ("''" if char == "'" else '"q"'), end
    _check(char)
    return char, at + 1


def _past_comment(text: str, at: int) -> int:
    end = text.find("*/", at + 2)
    if end < 0:
        raise Unclear("a comment does not end")
    inside = text[at + 2 : end]
    if inside[:1] in ("!", "+") or inside[:2].upper() == "M!":
        raise Unclear("a comment that some servers execute")
    if "/*" in inside or inside.endswith("/"):
        raise Unclear("a comment within a comment")
    return end + 2


def _past_line(text: str, at: int, dialect: str) -> int:
    if dialect == "mysql" and text.startswith("--", at) and text[at + 2 : at + 3] not in _SPACES | {""}:
        raise Unclear("`--` without a space, which is a comment for some servers only")
    end = text.find("\n", at)
    end = len(text) if end < 0 else end
    inside = text[at:end].removesuffix("\r")
    # Some readers end the comment at other line ends, and would run the rest.
    if any(unicodedata.category(char) in ("Cc", "Zl", "Zp") and char != "\t" for char in inside):
        raise Unclear("a comment with an unusual end of line")
    return end


def _past_dollars(text: str, found: re.Match[str], dialect: str) -> int:
    if dialect != "postgres":
        raise Unclear("dollar quotes, which this dialect does not have")
    end = text.find(found[0], found.end())
    if end < 0:
        raise Unclear("a dollar quote does not end")
    return end + len(found[0])


def _past_quote(text: str, at: int, dialect: str) -> int:
    if text[at : at + 3] in _TRIPLES and dialect == "bigquery":
        end = text.find(text[at : at + 3], at + 3)
        if end < 0 or "\\" in text[at:end]:
            raise Unclear("a triple quote with backslashes, or without an end")
        return end + 3
    close = _QUOTES[dialect][text[at]]
    end = at + 1
    while True:
        end = text.find(close, end)
        if end < 0:
            raise Unclear("a quote does not end")
        if _escaped(text, at, end):
            raise Unclear("a backslash before a quote, which ends the string for some servers only")
        if text[end + 1 : end + 2] != close:
            return end + 1
        if close == "]" and dialect == "sqlite":
            raise Unclear("a bracket in a name in brackets")
        end += 2


def _escaped(text: str, start: int, end: int) -> bool:
    backslashes = 0
    while end - backslashes - 1 > start and text[end - backslashes - 1] == "\\":
        backslashes += 1
    return backslashes % 2 == 1


def _check(char: str) -> None:
    """A character outside of quotes."""
    if char.isascii():
        if not (char.isprintable() or char in _SPACES) or char == "\\":
            raise Unclear("a control character or backslash outside of strings")
        return
    # Wide or decorated forms of ASCII letters and signs become those in some servers.
    if unicodedata.category(char)[0] not in "LN" or unicodedata.normalize("NFKC", char) != char:
        raise Unclear("a character outside of strings that is no letter")
