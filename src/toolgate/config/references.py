"""Secrets named in the config, `${env:NAME}` and `${file:/path}` in any text. Never shows what it found."""

import os
import re
from pathlib import Path
from typing import Any

from toolgate.config.document import Document
from toolgate.config.document import Path as KeyPath
from toolgate.errors import Problem

MAX_SECRET_BYTES = 64 * 1024

_REFERENCE = re.compile(r"\$\$\{|\$\{(?:(env|file):)?([^{}]*)\}|\$\{")


class References:
    """Puts secrets where a document names them, and keeps what went wrong and which files were read."""

    def __init__(self, document: Document, folder: Path) -> None:
        self.problems: list[Problem] = []
        self.unresolved: set[KeyPath] = set()
        """Keys whose value is not what their author meant, so that nothing more is said about them."""
        self.files: list[Path] = []
        self._document = document
        self._folder = folder

    def resolve(self, value: Any, path: KeyPath = ()) -> Any:
        """The same data with every reference replaced. `$${` stands for `${`; a secret is not read again."""
        if isinstance(value, dict):
            return {key: self.resolve(item, (*path, key)) for key, item in value.items()}
        if isinstance(value, list):
            return [self.resolve(item, (*path, at)) for at, item in enumerate(value)]
        if isinstance(value, str) and "${" in value:
            return _REFERENCE.sub(lambda match: self._replacement(match, path), value)
        return value

    def _replacement(self, match: re.Match[str], path: KeyPath) -> str:
        kind, name = match[1], match[2]
        if match[0] == "$${":
            return "${"
        if kind == "env":
            return self._variable(name, path)
        if kind == "file":
            return self._file(name, path)
        remedy = "Write ${env:NAME} or ${file:/path}, or $${ where the text itself has ${."
        return self._fault(path, "'${' begins a reference that is not understood.", remedy)

    def _variable(self, name: str, path: KeyPath) -> str:
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
            return self._fault(path, "'${env:' is not followed by the name of a variable.")
        value = os.environ.get(name)
        # An empty secret is a door without a lock; nobody means it.
        if not value:
            return self._fault(
                path, f"the environment variable {name} is {'not set' if value is None else 'empty'}."
            )
        return value

    def _file(self, name: str, path: KeyPath) -> str:
        if not name or "\0" in name:
            return self._fault(path, "'${file:' is not followed by a path.")
        file = self._folder / name
        self.files.append(file)
        try:
            with file.open("rb") as opened:
                content = opened.read(MAX_SECRET_BYTES + 1)
            text = content.decode("utf-8")
        except OSError as error:
            return self._fault(path, f"cannot read {str(file)!a}: {error.strerror}.")
        except UnicodeDecodeError:
            return self._fault(path, f"{str(file)!a} is not UTF-8 text.")
        if len(content) > MAX_SECRET_BYTES:
            return self._fault(path, f"{str(file)!a} is larger than {MAX_SECRET_BYTES} bytes.")
        secret = text.removesuffix("\n").removesuffix("\r")
        return secret or self._fault(path, f"{str(file)!a} is empty.")

    def _fault(self, path: KeyPath, text: str, remedy: str = "") -> str:
        self.problems.append(self._document.problem(path, text, remedy))
        self.unresolved.add(path)
        return ""
