"""Starts a process tree on one core, says what it costs in CPU and memory, and ends it. Linux only."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


class StartError(Exception):
    """The process ended, or did not answer in time; carries the end of its log."""


@dataclass(frozen=True)
class Memory:
    """Bytes of a process tree: PSS counts a shared page once, RSS as often as it is mapped."""

    pss: int
    rss: int


class Tree:
    """A started process and all its descendants."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path, began: float) -> None:
        self.began = began
        """Just before it was started, by `time.monotonic()`."""
        self._process = process
        self._log = log

    def cpu_seconds(self) -> float:
        """User and system time so far, of the living and of the children they have reaped."""
        return sum(_ticks(pid) for pid in self._pids()) / _TICKS

    def memory(self) -> Memory:
        """What the tree holds now."""
        pids = self._pids()
        return Memory(sum(map(_pss, pids)), sum(map(_rss, pids)))

    def wait_for_port(self, port: int, seconds: float) -> None:
        """Return once `port` accepts connections. Raises `StartError`."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self.check()
            if _accepts(port):
                return
            time.sleep(0.01)
        raise StartError(
            f"nothing listens on port {port} after {seconds:.0f} s; its log ends:\n{self.log_tail()}"
        )

    def check(self) -> None:
        """Raises `StartError` if the process has ended."""
        if self._process.poll() is not None:
            raise StartError(f"ended with {self._process.returncode}; its log ends:\n{self.log_tail()}")

    def log_tail(self) -> str:
        """The last lines the process wrote."""
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-25:])

    def stop(self) -> None:
        """Ask the tree to end, and after five seconds end it."""
        pids = self._pids()
        _signal_group(self._process.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(5)
        _signal_group(self._process.pid, signal.SIGKILL)
        for pid in pids[1:]:
            _kill_if_same_session(pid, self._process.pid)
        self._process.wait(5)

    def _pids(self) -> list[int]:
        found = [self._process.pid]
        for pid in found:
            found += _children(pid)
        return found


@contextmanager
def running(
    argv: Sequence[str], core: int, log: Path, env: Mapping[str, str] | None = None, cwd: Path | None = None
) -> Iterator[Tree]:
    """The command, pinned to `core`, for as long as the block lasts; what it prints goes to `log`."""
    with log.open("wb") as output:
        began = time.monotonic()
        process = subprocess.Popen(
            ["taskset", "-c", str(core), *argv],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **env} if env else None,
            cwd=cwd,
            start_new_session=True,
        )
    tree = Tree(process, log, began)
    try:
        yield tree
    finally:
        tree.stop()


def free_port() -> int:
    """A port of the loopback interface that nothing uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _accepts(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _children(pid: int) -> list[int]:
    """Children of all threads: a child belongs to the thread that made it."""
    found: list[int] = []
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        found += map(int, _text(path).split())
    return found


def _ticks(pid: int) -> int:
    """utime, stime, cutime and cstime: the 14th to 17th field; the name before them may hold spaces."""
    fields = _text(Path(f"/proc/{pid}/stat")).rpartition(")")[2].split()
    return sum(map(int, fields[11:15]))


def _pss(pid: int) -> int:
    lines = _text(Path(f"/proc/{pid}/smaps_rollup")).splitlines()
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))


def _rss(pid: int) -> int:
    fields = _text(Path(f"/proc/{pid}/statm")).split()
    return int(fields[1]) * _PAGE if fields else 0


def _text(path: Path) -> str:
    """A file of /proc; empty if the process has just gone."""
    try:
        return path.read_text()
    except OSError:
        return ""


def _signal_group(leader: int, number: signal.Signals) -> None:
    try:
        os.killpg(leader, number)
    except ProcessLookupError:
        return


def _kill_if_same_session(pid: int, session: int) -> None:
    """A descendant may have left the group; one that still is of our session is ours to end."""
    try:
        if os.getsid(pid) == session:
            os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return
