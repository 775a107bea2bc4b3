"""`server/name` patterns in which `*` stands for anything, and finding those that fit. Knows no rules.

Names are compared as they are: no case folding, no decoding of URIs. Matching is linear in the text, since
resource URIs come from callers (a regular expression with several `.*` would not be).
"""

import re
from collections.abc import Iterator
from typing import Generic, TypeVar

T = TypeVar("T")

_SERVER = re.compile(r"[A-Za-z0-9._*-]+")


class Glob:
    """A text in which every `*` stands for anything, also nothing."""

    __slots__ = ("_least", "_middle", "_tail", "_text", "head")

    def __init__(self, text: str) -> None:
        self._text = text
        self.head, *self._middle = text.split("*")
        self._tail = self._middle.pop() if self._middle else None
        self._least = len(text.replace("*", ""))

    def fits(self, text: str) -> bool:
        """True where every `*` can be replaced to give `text`."""
        if self._tail is None:
            return text == self._text
        if len(text) < self._least or not (text.startswith(self.head) and text.endswith(self._tail)):
            return False
        at, end = len(self.head), len(text) - len(self._tail)
        for part in self._middle:
            at = text.find(part, at, end)
            if at < 0:
                return False
            at += len(part)
        return True


def split_pattern(text: str) -> tuple[str, str]:
    """Server part and name part. Raises `ValueError` with a sentence for people."""
    if text == "*":
        return "*", "*"
    server, slash, name = text.partition("/")
    if not slash:
        raise ValueError(
            f"`{text}` names no server. Write `{text}/*` for a whole server, `*/{text}` for any."
        )
    if not _SERVER.fullmatch(server):
        raise ValueError(
            f"`{server}` cannot be a server's name. Write `server/{text}`, or `*/{text}` for any."
        )
    if not name:
        raise ValueError(f"`{text}` names nothing of the server. Write `{text}*` for all of it.")
    return server, name


class Names(Generic[T]):
    """Values by name or glob; a lookup costs as many steps as there are globs with a fitting beginning."""

    def __init__(self) -> None:
        self._exact: dict[str, T] = {}
        self._globs: dict[str, dict[str, tuple[Glob, T]]] = {}
        self._lengths: list[int] = []

    def place(self, text: str, value: T) -> T:
        """The value kept under this name or glob: the one already there, else this one."""
        if "*" not in text:
            return self._exact.setdefault(text, value)
        glob = Glob(text)
        self._lengths = sorted({*self._lengths, len(glob.head)})
        return self._globs.setdefault(glob.head, {}).setdefault(text, (glob, value))[1]

    def find(self, text: str) -> Iterator[T]:
        """The values of every name and glob that fits."""
        if text in self._exact:
            yield self._exact[text]
        for length in self._lengths:
            if length > len(text):
                return
            for glob, value in self._globs.get(text[:length], {}).values():
                if glob.fits(text):
                    yield value
