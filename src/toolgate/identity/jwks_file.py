"""Public keys of an issuer from a file, read again when it changes. Knows no network."""

import os
from pathlib import Path

from joserfc.jwk import Key

from toolgate.identity.jwks import MAX_BYTES, KeySet, unavailable
from toolgate.ports import Clock

_LOOK_EVERY = 1.0


class FileKeys:
    """A key set in a file. A file that cannot be read leaves the keys read before in force."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path = path
        self._clock = clock
        self._keys: KeySet | None = None
        self._looked: float | None = None
        self._seen: tuple[int, int, int] | None = None
        self._problem: str | None = None

    async def find(self, kid: str | None, alg: str) -> Key | None:
        """See `Keys.find`. A change is seen within a second, at once if the key is not known."""
        key = self._pick(kid, alg)
        # One stat more on the way to a refusal, so that no call is lost in the second after a change.
        if key is None or self._is_due():
            self._look()
            key = self._pick(kid, alg)
        if key is None and self._problem is not None:
            raise unavailable(f"key file {self._path.name}: {self._problem}")
        return key

    async def aclose(self) -> None:
        """Nothing is open."""

    def _pick(self, kid: str | None, alg: str) -> Key | None:
        return self._keys.pick(kid, alg) if self._keys else None

    def _is_due(self) -> bool:
        # A clock set back counts as due.
        return self._looked is None or not 0 <= self._clock() - self._looked < _LOOK_EVERY

    def _look(self) -> None:
        self._looked = self._clock()
        try:
            # A few system calls on a small local file: less than handing them to a thread would cost.
            state = os.stat(self._path)
            seen = (state.st_mtime_ns, state.st_size, state.st_ino)
            if seen == self._seen:
                return
            self._seen = (
                seen  # Also if it cannot be used: strangers must not make us read it again and again.
            )
            self._keys = KeySet.read(self._text())
            self._problem = None
        except OSError as error:
            self._seen = None
            self._problem = error.strerror or "cannot be read"
        except ValueError as error:
            self._problem = f"not a key set ({error})"

    def _text(self) -> bytes:
        with self._path.open("rb") as file:
            text = file.read(MAX_BYTES + 1)
        if len(text) > MAX_BYTES:
            raise ValueError(f"more than {MAX_BYTES} bytes")
        return text
