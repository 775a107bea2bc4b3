"""The file of API keys that `toolgate key` keeps: hashes, never a key. Read with the config, written by commands."""

import fcntl
import os
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path
from typing import Any

import yaml

from toolgate.config.load import Loaded, read
from toolgate.config.schema_identity import KeyFile
from toolgate.errors import ConfigError, Problem

_HEAD = "# API keys of a gateway: only their hashes. Written by 'toolgate key', which keeps no comments.\n"

Keys = list[MutableMapping[str, Any]]
"""The entries as the file writes them."""


def read_keys(path: Path) -> Loaded[KeyFile]:
    """The keys of a file. Raises `ConfigError`."""
    return read(path, KeyFile)


@contextmanager
def changed(path: Path) -> Iterator[Keys]:
    """The entries of the file, to be changed; written whole, or not at all where something is wrong with them.

    One change at a time; a file that is not there begins empty. Raises `ConfigError`.
    """
    with _alone(path):
        entries: Keys = []
        if path.exists():
            entries = deepcopy((read_keys(path).document.data or {}).get("keys") or [])
        yield entries
        _write(path, _HEAD + yaml.safe_dump({"keys": [dict(one) for one in entries]}, sort_keys=False))


def entry(entries: Keys, name: str, path: Path) -> MutableMapping[str, Any]:
    """The entry of that id. Raises `ConfigError`."""
    for one in entries:
        if one["id"] == name:
            return one
    raise ConfigError(
        [Problem(f"there is no key {name!a}.", file=str(path), remedy="See 'toolgate key list'.")]
    )


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    try:
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise ConfigError([Problem(f"no such folder: {error.strerror}.", file=str(path.parent))]) from None
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def _write(path: Path, text: str) -> None:
    beside = path.with_name(f".{path.name}.new")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        read_keys(beside)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
