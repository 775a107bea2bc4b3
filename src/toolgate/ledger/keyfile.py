"""Secrets that live in files of one line: read, or made where there is none. Knows nothing of what they are for."""

import os
from collections.abc import Callable
from pathlib import Path

from toolgate.ledger.folder import settle


def load(path: Path, make: Callable[[], str]) -> str:
    """The text of the file; where there is none, what `make` says, kept there (0600) first. Raises `OSError`."""
    if not path.exists():
        _keep(path, make() + "\n")
    return path.read_text(encoding="utf-8", errors="replace").strip()


def _keep(path: Path, text: str) -> None:
    """Under another name first: a crash must not leave half a key."""
    draft = path.with_name(f".{path.name}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.rename(path)
    settle(path.parent)
