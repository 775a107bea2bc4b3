"""Grows the tree beside the chain: a reader of the written segments that signs what it has checked.

Every line is checked again as it is read back, so a file changed under a running gateway is noticed within
one interval. What is signed is on the disk, whatever the durability of the ledger.
"""

import asyncio
import logging
import secrets
import threading
import time
from collections.abc import Callable
from pathlib import Path

from toolgate.errors import ConfigError, Problem
from toolgate.ledger import keyfile
from toolgate.ledger.chain import ORIGIN, Broken, Head, check
from toolgate.ledger.follow import Follower, Gone
from toolgate.ledger.note import SignerKey
from toolgate.ledger.recover import LedgerDamaged
from toolgate.ledger.segments import SIGNING_KEY, TREE
from toolgate.ledger.tree import Damaged, Tree

_log = logging.getLogger("toolgate.ledger")

_AT_ONCE = 32
"""Records between two breaths: the loop waits for the interpreter no longer than these take, about 0.2 ms."""


def load_signer(path: Path, *, fresh: bool) -> SignerKey:
    """The key in the file; made where there is none and none can have been (`fresh`). Raises `ConfigError`."""
    if not fresh and not path.exists():
        raise _unusable(path, "The key that signed this ledger's checkpoints is not there.", _RESTORE)
    try:
        return SignerKey.parse(
            keyfile.load(path, lambda: SignerKey.new(f"toolgate/{secrets.token_hex(8)}").secret())
        )
    except OSError as problem:
        raise _unusable(path, f"The key cannot be read or made: {problem.strerror}.", _RESTORE) from problem
    except ValueError as problem:
        raise _unusable(path, f"This is no signing key: {problem}.", _RESTORE) from problem


_RESTORE = (
    "Restore it from a backup. To go on with a new key, which auditors must be given then, move the folder"
    " 'tree' of the ledger away: it is made again from the segments."
)


class _Growth:
    """The tree as it was published, and what has been read of the ledger behind it."""

    def __init__(self, folder: Path, signer: SignerKey) -> None:
        self.tree = Tree(folder / TREE, signer)
        size = self.tree.size
        self.chain = Head(size, self.tree.last.hex()) if size else ORIGIN
        self._follower = Follower(folder, size)

    def grow(self, end: int, breathe: Callable[[], None]) -> None:
        """Add what is written up to record `end`, and sign it. `breathe` is called every few records."""
        grown = False
        while lines := self._follower.read(end):
            for at in range(0, len(lines), _AT_ONCE):
                for line in lines[at : at + _AT_ONCE]:
                    self.chain = check(self.chain, line)
                    self.tree.add(bytes.fromhex(self.chain.hash))
                breathe()
            grown = True
        if grown or self.tree.published is None:
            self._follower.sync()
            self.tree.publish()

    def close(self) -> None:
        self._follower.close()


class Checkpoints:
    """Owns the tree of a running gateway."""

    def __init__(self, folder: Path, key: Path | None, head: Callable[[], Head]) -> None:
        """`head` says what the writer has written. Call this when the folder is claimed.

        Raises `ConfigError` where the key is lost, and `LedgerDamaged` where the tree is, or where it covers what
        the ledger has not.
        """
        where = folder / TREE
        self._folder = folder
        self._signer = load_signer(key or folder / SIGNING_KEY, fresh=not where.exists())
        try:
            growth = _Growth(folder, self._signer)
        except (ValueError, Damaged) as problem:
            raise _damaged(where, f"The checkpoint cannot be trusted: {problem}") from problem
        except OSError as problem:
            raise _unusable(where, f"cannot be read: {problem.strerror}.", _VERIFY) from problem
        size, known = growth.tree.size, head()
        if size > known.seq or (size == known.seq != 0 and growth.chain != known):
            text = f"A checkpoint over {size} records was signed, but the ledger ends with record {known}"
            raise _damaged(where, f"{text}: it was cut or replaced.")
        self.verifier = self._signer.verifier
        self.problem: str | None = None
        """Why nothing is signed at the moment; None while all is well."""
        self._growth: _Growth | None = growth
        self._signed = size
        self._given_up = False
        self._head = head
        self._stopping = False
        self._lock = threading.Lock()

    @property
    def lag(self) -> int:
        """Records written and not signed yet."""
        return self._head().seq - self._signed

    async def run(self, every: float) -> None:
        """Sign every so many seconds, until cancelled, or until what is found must not be signed."""
        while not self._given_up:
            await asyncio.to_thread(self.step)
            await asyncio.sleep(every)

    async def aclose(self) -> None:
        """Sign what is written by now, and stop."""
        self._stopping = True
        await asyncio.to_thread(self.step)
        with self._lock:
            self._let_go()

    def step(self) -> None:
        """Read what is new, add it to the tree, sign. Tells the log, once, why it cannot."""
        # A step that was cancelled goes on in its thread.
        with self._lock:
            if self._given_up:
                return
            try:
                self._sign()
                self.problem = None
            except OSError as problem:
                # What was half written is not believed: the next step starts from what was published.
                self._let_go()
                if self.problem is None:
                    _log.error("the ledger cannot be signed: %s; it is tried on", problem)
                self.problem = str(problem)
            except (Broken, Gone, Damaged, ValueError) as problem:
                self._given_up = True
                self.problem = str(problem)
                _log.error("the ledger is not signed any more: %s Run `toolgate ledger verify`.", problem)

    def _sign(self) -> None:
        growth = self._growth = self._growth or _Growth(self._folder, self._signer)
        growth.grow(self._head().seq, self._breathe)
        self._signed = growth.tree.size

    def _breathe(self) -> None:
        """Let the loop have the interpreter; not while stopping, when only we work."""
        if not self._stopping:
            time.sleep(0.0005)

    def _let_go(self) -> None:
        if self._growth:
            self._growth.close()
            self._growth = None


_VERIFY = "Run `toolgate ledger verify`; to go on without this ledger, move its folder away or set ledger.on_damage."


def _damaged(path: Path, text: str) -> LedgerDamaged:
    return LedgerDamaged([Problem(text, file=str(path), key="ledger", remedy=_VERIFY)])


def _unusable(path: Path, text: str, remedy: str) -> ConfigError:
    return ConfigError([Problem(text, file=str(path), key="ledger", remedy=remedy)])
