"""`${file:/path}` and `${systemd:NAME}`: files, also those that Kubernetes and systemd put there."""

import os
import re
from pathlib import Path

from toolgate.config.stores.store import MAX_SECRET_BYTES, NotFound, text_of


class Files:
    """Meets `Store`."""

    def __init__(self, folder: Path) -> None:
        """`folder` is what relative paths are seen from."""
        self.files: list[Path] = []
        self._folder = folder

    def read(self, name: str) -> str:
        """See `Store.read`."""
        if not name or "\0" in name:
            raise NotFound("'${file:' is not followed by a path.")
        return self.read_file(self._folder / name)

    def read_file(self, file: Path) -> str:
        """The secret in this file. Raises `NotFound`."""
        self.files.append(file)
        try:
            with file.open("rb") as opened:
                content = opened.read(MAX_SECRET_BYTES + 1)
        except OSError as error:
            raise NotFound(f"cannot read {str(file)!a}: {error.strerror}.") from None
        return text_of(content, f"{str(file)!a}")


class SystemdCredentials:
    """Meets `Store`: what `LoadCredential=` and `SetCredentialEncrypted=` of the unit provide."""

    def __init__(self) -> None:
        self._read = Files(Path())

    @property
    def files(self) -> list[Path]:
        """See `Store.files`."""
        return self._read.files

    def read(self, name: str) -> str:
        """See `Store.read`."""
        if not re.fullmatch(r"[A-Za-z0-9_.@-]{1,255}", name) or set(name) == {"."}:
            raise NotFound("'${systemd:' is not followed by the name of a credential.")
        folder = os.environ.get("CREDENTIALS_DIRECTORY")
        if not folder:
            raise NotFound(
                "systemd passes no credentials to this process.",
                f"Write LoadCredential={name}:… in the unit.",
            )
        return self._read.read_file(Path(folder) / name)
