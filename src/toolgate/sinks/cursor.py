"""What a reader of the ledger keeps between runs: how far it came, and what its sink would not have."""

from pathlib import Path

import msgspec
from msgspec import Raw, Struct

from toolgate.ledger.segments import READERS
from toolgate.ports import Message

DEAD_BYTES = 64 * 1024 * 1024
"""Dead letters kept for one sink. Beyond, it stands still until somebody looks."""


class _Place(Struct):
    seq: int


class _Letter(Struct):
    seq: int
    id: str
    reason: str
    body: Raw | str


class Cursor:
    """The number of the last record delivered, in a file of its own."""

    def __init__(self, folder: Path, name: str, now: int | None) -> None:
        """Where there is no file yet, starts behind record `now`, or at the beginning of the ledger.

        Raises `OSError`, and `ValueError` for a file that holds something else.
        """
        self._path = folder / READERS / f"{name}.cursor"
        try:
            text = self._path.read_bytes()
        except FileNotFoundError:
            self._path.parent.mkdir(mode=0o700, exist_ok=True)
            self.move(now or 0)
            return
        try:
            self.seq = msgspec.json.decode(text, type=_Place).seq
        except msgspec.MsgspecError as problem:
            raise ValueError(f"{self._path} is no cursor: {problem}") from problem

    def move(self, seq: int) -> bool:
        """Everything up to record `seq` is delivered. A power cut may take this back: then some come twice.

        True, or raises `OSError`.
        """
        draft = self._path.with_name(f".{self._path.name}")
        draft.write_bytes(msgspec.json.encode(_Place(seq)))
        draft.rename(self._path)
        self.seq = seq
        return True


class DeadLetters:
    """Messages a receiver refused, one JSON object a line, with its reason."""

    def __init__(self, folder: Path, name: str) -> None:
        self._path = folder / READERS / f"{name}.dead.jsonl"
        self.count = 0
        """Since the start of this process."""

    def add(self, message: Message, reason: str) -> bool:
        """Keep one. False where there is no room for it. Raises `OSError`."""
        letter = _Letter(message.seq, message.id, reason, _as_json(message.body))
        line = msgspec.json.encode(letter) + b"\n"
        with self._path.open("ab") as file:
            if file.tell() + len(line) > DEAD_BYTES:
                return False
            file.write(line)
        self.count += 1
        return True


def _as_json(body: bytes) -> Raw | str:
    try:
        msgspec.json.decode(body)
    except msgspec.MsgspecError:
        return body.decode(errors="replace")
    return Raw(body)
