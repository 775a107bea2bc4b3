"""A key for each person, and a new one each month: destroying them makes what they sealed unreadable for good.

A key is a file named by its id; the id is a keyed hash of whom it is for, so the folder names nobody. A key
that is destroyed is overwritten first; on disks that keep old blocks, only a folder on an encrypted volume
(`ledger.subject_keys`) makes that certain.
"""

import hmac
import os
import secrets
import time
from collections.abc import Callable
from pathlib import Path

from msgspec import Struct

from toolgate.ledger import keyfile
from toolgate.ledger.folder import settle
from toolgate.ports import Clock

_FRESH_SECONDS = 30.0
"""How long a key is used without a look whether it is still there."""
_KNOWN = 4096
"""Keys held in memory; beyond, all are read again."""
_SUFFIX = ".key"


class SubjectKey(Struct, frozen=True):
    """The key of one person for one month."""

    id: str
    secret: bytes


class Subjects:
    """The keys of a running gateway."""

    def __init__(self, folder: Path, naming: bytes, clock: Clock = time.time) -> None:
        """`naming` keys the names of the files. Raises `OSError` where the folder cannot be made."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder = folder
        self._naming = naming
        self._clock = clock
        self._known: dict[tuple[str, str], tuple[float, SubjectKey]] = {}

    def name_of(self, subject: str) -> str:
        """The pseudonym of a person."""
        return name_of(self._naming, subject)

    def key_named(self, name: str) -> SubjectKey:
        """The key to seal with now; made where there is none, or where it was destroyed. Raises `OSError`."""
        now = self._clock()
        month = time.strftime("%Y-%m", time.gmtime(now))
        known = self._known.get((name, month))
        if known is not None and now < known[0] + _FRESH_SECONDS:
            return known[1]
        if len(self._known) >= _KNOWN:
            self._known.clear()
        number = f"{name}-{month}"
        # A destroyed key leaves its name behind: what comes after is another key, which opens nothing old.
        count = sum(1 for _ in self._folder.glob(f"{number}-*.destroyed"))
        key_id = f"{number}-{count}"
        text = keyfile.load(self._folder / f"{key_id}{_SUFFIX}", lambda: secrets.token_hex(32))
        key = SubjectKey(key_id, bytes.fromhex(text))
        self._known[name, month] = (now, key)
        return key


def name_of(naming: bytes, subject: str) -> str:
    """How the files of a subject's keys begin."""
    return hmac.digest(naming, b"subject:" + subject.encode(), "sha256").hex()[:24]


def secret_in(folder: Path) -> Callable[[str], bytes | None]:
    """Finds a key by its id; None where it is not there."""

    def secret(key_id: str) -> bytes | None:
        if not key_id.replace("-", "").isalnum():
            return None
        try:
            return bytes.fromhex((folder / f"{key_id}{_SUFFIX}").read_text())
        except (FileNotFoundError, ValueError):
            return None

    return secret


def destroy(folder: Path, naming: bytes, subject: str) -> int:
    """Destroy all keys of a subject. Returns how many there were. Raises `OSError`."""
    found = sorted(folder.glob(f"{name_of(naming, subject)}-*{_SUFFIX}"))
    for path in found:
        with path.open("r+b") as file:
            file.write(os.urandom(path.stat().st_size))
            file.flush()
            os.fsync(file.fileno())
            file.truncate(0)
            os.fsync(file.fileno())
        path.rename(path.with_suffix(".destroyed"))
    if found:
        settle(folder)
    return len(found)
