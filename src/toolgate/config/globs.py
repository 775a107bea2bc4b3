"""Which files a pattern stands for. Wildcards stand in the file's name only, so that what is read and what is
watched are the same few folders."""

import fnmatch
import os
from pathlib import Path

_WILD = frozenset("*?[")


def expand(pattern: str, folder: Path) -> tuple[Path, ...]:
    """The files, sorted by name; hidden ones only where the pattern itself begins with a dot.

    A pattern without wildcards is a path. Raises `ValueError` with what is wrong in words.
    """
    if "\0" in pattern:
        raise ValueError("the pattern contains a NUL character.")
    where, _, name = pattern.rpartition("/")
    parent = folder_of(pattern, folder)
    if _WILD & set(where):
        raise ValueError("wildcards are for the file's name only, not for folders; name each folder.")
    if not _WILD & set(name):
        found = [parent / name] if name and (parent / name).is_file() else []
    else:
        found = [
            parent / entry for entry in _names(parent) if _matches(entry, name) and (parent / entry).is_file()
        ]
    if not found:
        raise ValueError("no file matches.")
    return tuple(found)


def folder_of(pattern: str, folder: Path) -> Path:
    """The one folder that the files of a pattern are in."""
    where, slash, _ = pattern.rpartition("/")
    return folder / (where or slash)


def _names(folder: Path) -> list[str]:
    try:
        return sorted(os.listdir(folder))
    except OSError:
        return []


def _matches(entry: str, name: str) -> bool:
    # Editors and Kubernetes keep copies under hidden names: a rule must not count twice, or count again.
    return entry.startswith(".") == name.startswith(".") and fnmatch.fnmatchcase(entry, name)
