"""Which of the files behind a config changed. Knows where to look and when, not what a change means."""

import asyncio
import os
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import aclosing, suppress
from pathlib import Path
from typing import Any, NamedTuple

from msgspec import Struct
from watchfiles import awatch

from toolgate.config.globs import expand, folder_of
from toolgate.config.load import Loaded
from toolgate.config.schema import GatewayConfig
from toolgate.config.schema_servers import tls_files

SETTLE_MS = 100
"""Quiet time after a change before it is told: an editor or a volume writes several files."""
DEBOUNCE_MS = 1_000
"""Longest time that a busy folder can hold back a change."""
LOOK_MS = 5_000
"""How often the files are looked at without a sign: network disks send none, nor do folders made anew."""

Stamps = Mapping[str, Any]


class _Stamp(NamedTuple):
    device: int
    inode: int
    mtime: int
    ctime: int
    size: int


class Watched(Struct, frozen=True):
    """The files and patterns of one config."""

    folder: Path
    files: tuple[Path, ...]
    patterns: tuple[str, ...]


def watched(loaded: Loaded[GatewayConfig]) -> Watched:
    """Every file the running gateway was made from: config, secrets, certificate, key sets, policies."""
    config = loaded.value
    named = [config.tls.cert, config.tls.key] if config.tls else []
    named += [
        Path(issuer.jwks) for issuer in config.identity.issuers if issuer.jwks and "://" not in issuer.jwks
    ]
    named += [Path(domain.bundle) for domain in config.identity.trust_domains if "://" not in domain.bundle]
    named += [file for server in config.servers.values() for file in tls_files(server)]
    return Watched(loaded.folder, (*loaded.files, *named), config.policies)


def stamps(these: Watched) -> Stamps:
    """What tells a changed file from an unchanged one, by file; for a pattern, the files it stands for."""
    found: dict[str, Any] = {str(file): _stamp(file) for file in these.files}
    for pattern in these.patterns:
        files = _expand(pattern, these.folder)
        found[pattern] = files
        found.update((str(file), _stamp(file)) for file in files)
    return found


def folders(these: Watched) -> tuple[Path, ...]:
    """Where changes of these files show. Both sides of a symbolic link: either may be replaced."""
    files = [*these.files, *(file for pattern in these.patterns for file in _expand(pattern, these.folder))]
    found = {file.parent for file in files} | {file.resolve().parent for file in files}
    found |= {folder_of(pattern, these.folder) for pattern in these.patterns}
    return tuple(sorted(folder for folder in found if folder.is_dir()))


async def changes(
    current: Callable[[], Loaded[GatewayConfig]], *, stop: asyncio.Event | None = None
) -> AsyncIterator[tuple[str, ...]]:
    """Names what changed, each time something did, until `stop` is set or the iterator is closed.

    `current` gives the config in force, asked again after every change: a reload may name other files.
    A change made after the config was read, or while the last change is being worked on, is not lost.
    """
    stop = stop or asyncio.Event()
    loaded = current()
    these = watched(loaded)
    known = _read_before(loaded.read_at, stamps(these))
    while not stop.is_set():
        places = folders(these)
        async with aclosing(_signs(places, stop)) as signs:
            async for _ in signs:
                while changed := _changed(known, now := stamps(these)):
                    yield changed
                    these = watched(current())
                    # What is already known keeps the stamp from before the reload read it; hence the loop.
                    known = {**stamps(these), **now}
                if folders(these) != places:
                    break


async def _signs(places: tuple[Path, ...], stop: asyncio.Event) -> AsyncGenerator[None, None]:
    """Says that something may have happened in one of these folders: at once, and every `LOOK_MS` anyway."""
    yield
    # Folders, as a file that is replaced takes its watch along; flat, as the ledger may lie below.
    events = awatch(
        *places,
        watch_filter=None,
        recursive=False,
        step=SETTLE_MS,
        debounce=DEBOUNCE_MS,
        rust_timeout=LOOK_MS,
        yield_on_timeout=True,
        ignore_permission_denied=True,
        stop_event=stop,
    )
    try:
        async with aclosing(events):
            async for _ in events:
                yield
    except OSError:
        # A folder went just now, or the system has no watches left: looking has to do.
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), LOOK_MS / 1000)
        yield


def _changed(known: Stamps, now: Stamps) -> tuple[str, ...]:
    return tuple(name for name, stamp in now.items() if known.get(name) != stamp)


def _read_before(read_at: int, found: Stamps) -> Stamps:
    """Without the files that were written since: what was read is not what they say now."""
    return {
        name: None if isinstance(stamp, _Stamp) and stamp.ctime > read_at else stamp
        for name, stamp in found.items()
    }


def _expand(pattern: str, folder: Path) -> tuple[Path, ...]:
    try:
        return expand(pattern, folder)
    except ValueError:
        return ()


def _stamp(file: Path) -> _Stamp | None:
    try:
        status = os.stat(file)
    except OSError:
        return None
    return _Stamp(status.st_dev, status.st_ino, status.st_mtime_ns, status.st_ctime_ns, status.st_size)
