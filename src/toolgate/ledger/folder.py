"""The ledger's folder: made, kept private and claimed by one process. Knows nothing of what is in it."""

import fcntl
import os
import time
from pathlib import Path

from toolgate.errors import ConfigError, Problem
from toolgate.ledger.segments import LOCK

_GRACE = 0.3
"""Seconds to wait for the lock: a verifier asks about it for microseconds, a predecessor may be leaving."""


def claim(folder: Path) -> int:
    """Make the folder (0700) where it is missing and lock it. Returns the lock: a descriptor to close.

    Raises `ConfigError` where the folder cannot be used, everybody may write in it, or another process does.
    """
    try:
        _make(folder)
        lock = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as problem:
        raise unusable(folder, f"cannot be used as ledger: {problem.strerror}.") from problem
    if not _locked(lock):
        os.close(lock)
        raise unusable(
            folder,
            "is in use by another gateway.",
            "Two cannot write one ledger: stop it, or give each its own ledger.path.",
        )
    return lock


def claimed(folder: Path) -> bool:
    """Whether a gateway is writing here now. A folder without lock file, such as a copy, is nobody's."""
    try:
        lock = os.open(folder / LOCK, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(lock)
    return False


def settle(folder: Path) -> None:
    """Make names in the folder survive a power cut. Raises `OSError`."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _make(folder: Path) -> None:
    if not folder.exists():
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        settle(folder.parent)
    mode = folder.stat().st_mode
    if mode & 0o077 and not any(folder.iterdir()):
        folder.chmod(0o700)
    elif mode & 0o002:
        # Who may rename files here can remove a segment. A group is left alone: Kubernetes sets one.
        raise unusable(folder, "may be changed by every user of this machine.", "Run chmod 700 on it.")


def _locked(lock: int) -> bool:
    deadline = time.monotonic() + _GRACE
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.01)
        else:
            return True


def unusable(folder: Path, text: str, remedy: str = "") -> ConfigError:
    """The error that says why this folder holds no ledger."""
    return ConfigError([Problem(f"The folder {text}", file=str(folder), key="ledger.path", remedy=remedy)])
