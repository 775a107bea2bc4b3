"""Secrets named in the config, such as `${env:NAME}` and `${file:/path}` in any text. Never shows what it found."""

import re
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from toolgate.config.document import Document
from toolgate.config.document import Path as KeyPath
from toolgate.config.stores.store import NotFound, Store
from toolgate.errors import Problem

_REFERENCE = re.compile(r"\$\$\{|\$\{(?:([a-z]+):)?([^{}]*)\}|\$\{")

_SILENT = frozenset({"keyring", "vault"})
"""Places that give no sign when a secret changes, so that they are asked again."""


class References:
    """Puts secrets where a document names them, and keeps what went wrong and which files were read."""

    def __init__(self, document: Document, stores: Mapping[str, Store]) -> None:
        """`stores` by the word that stands before the colon."""
        self.problems: list[Problem] = []
        self.unresolved: set[KeyPath] = set()
        """Keys whose value is not what their author meant, so that nothing more is said about them."""
        self._document = document
        self._stores = stores
        self._silent = sha256()

    @property
    def files(self) -> list[Path]:
        """The files read so far."""
        return [file for store in self._stores.values() for file in store.files]

    @property
    def silent(self) -> str | None:
        """A digest of what came from places that give no sign of a change; None where nothing did."""
        return self._silent.hexdigest() if self._silent.digest() != sha256().digest() else None

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
        if match[0] == "$${":
            return "${"
        store = self._stores.get(match[1] or "")
        if store is None:
            kinds = (
                "${env:NAME}, ${file:/path}, ${systemd:NAME}, ${vault:path#key} or ${keyring:service/user}"
            )
            remedy = f"Write {kinds}, or $${{ where the text itself has ${{."
            return self._fault(path, "'${' begins a reference that is not understood.", remedy)
        try:
            secret = store.read(match[2])
        except NotFound as fault:
            return self._fault(path, str(fault), fault.remedy)
        if match[1] in _SILENT:
            self._silent.update(sha256(secret.encode()).digest())
        return secret

    def _fault(self, path: KeyPath, text: str, remedy: str = "") -> str:
        self.problems.append(self._document.problem(path, text, remedy))
        self.unresolved.add(path)
        return ""
