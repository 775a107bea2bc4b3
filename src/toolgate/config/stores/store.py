"""What a place of secrets must meet. Knows no place."""

from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

MAX_SECRET_BYTES = 64 * 1024


class NotFound(Exception):
    """There is no such secret, or it cannot be read. The text never quotes one."""

    def __init__(self, text: str, remedy: str = "") -> None:
        super().__init__(text)
        self.remedy = remedy


class Store(Protocol):
    """A place that secrets are read from by name, while a config is read."""

    def read(self, name: str) -> str:
        """The secret. Raises `NotFound`."""
        ...

    @property
    def files(self) -> Iterable[Path]:
        """The files read so far, for whoever watches them."""
        ...


def text_of(content: bytes, what: str) -> str:
    """A secret's bytes as text, without the line break that editors add. Raises `NotFound`."""
    if len(content) > MAX_SECRET_BYTES:
        raise NotFound(f"{what} is larger than {MAX_SECRET_BYTES} bytes.")
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        raise NotFound(f"{what} is not UTF-8 text.") from None
    secret = text.removesuffix("\n").removesuffix("\r")
    # An empty secret is a door without a lock; nobody means it.
    if not secret:
        raise NotFound(f"{what} is empty.")
    return secret
