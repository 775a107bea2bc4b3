"""Acts that others did to the ledger's folder, left for the gateway to record: who writes the chain is one process.

A note is a file; the gateway records it and takes it away. While none runs, notes wait for the next start.
"""

import getpass
import os
import secrets
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from toolgate.ledger.segments import INBOX

MAX_NOTE = 16 * 1024
MAX_NOTES = 1000
"""Taken at once."""


class Note(Struct):
    """What was done, and by whom as the machine knows them."""

    method: str
    detail: str
    arguments: dict[str, Any]


def leave(folder: Path, method: str, detail: str, **facts: Any) -> bool:
    """Leave a note. False where the folder cannot be written, as with a copy on read-only media."""
    note = Note(method, detail, {"by": _person(), **facts})
    inbox = folder / INBOX
    try:
        inbox.mkdir(mode=0o700, exist_ok=True)
        draft = inbox / f".{secrets.token_hex(8)}"
        draft.write_bytes(msgspec.json.encode(note)[:MAX_NOTE])
        draft.rename(inbox / f"{draft.name[1:]}.json")
    except OSError:
        return False
    return True


def waiting(folder: Path) -> list[tuple[Path, Note]]:
    """The notes that wait, oldest first. What is no note stays where it is. Raises `OSError`."""
    inbox = folder / INBOX
    if not inbox.is_dir():
        return []
    found = sorted((path for path in inbox.glob("*.json")), key=lambda path: path.stat().st_mtime_ns)
    notes = []
    for path in found[:MAX_NOTES]:
        try:
            with path.open("rb") as file:
                notes.append((path, msgspec.json.decode(file.read(MAX_NOTE + 1), type=Note)))
        except msgspec.MsgspecError:
            continue
    return notes


def _person() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())
