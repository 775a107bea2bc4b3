"""Servers and gateways as processes that are ready when they are handed out and gone afterwards."""

import contextlib
import random
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

START_SECONDS = 60.0
_PORTS = range(20_000, 32_000)
"""Below the ports of outgoing connections, which would take one between our look and the server's bind."""

_POLICY = "version: 1\ndefault: allow\nrules: []\n"


class Broken(Exception):
    """A process did not come up; the text ends with what it said."""


def free_port() -> int:
    """A port nobody listens on."""
    while True:
        port = random.choice(_PORTS)
        with contextlib.suppress(OSError), socket.socket() as sock:
            sock.bind(("127.0.0.1", port))
            return port


@contextlib.contextmanager
def running(command: list[str], port: int, log: Path, env: Mapping[str, str]) -> Iterator[None]:
    """The process, listening on the port. Raises `Broken`."""
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, env=env)
    try:
        _until_listening(process, port, log)
        yield
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextlib.contextmanager
def gateway(folder: Path, servers: Mapping[str, str], env: Mapping[str, str]) -> Iterator[str]:
    """A gateway that lets everything pass to these `servers:` (name to YAML); its address."""
    port = free_port()
    (folder / "policy.yaml").write_text(_POLICY)
    lines = "".join(f"  {name}: {server}\n" for name, server in servers.items())
    config = folder / "gateway.yaml"
    config.write_text(
        f"listen: 127.0.0.1:{port}\nadmin: null\nidentity: {{anonymous: loopback}}\n"
        f"servers:\n{lines}policies: [policy.yaml]\n"
    )
    command = [sys.executable, "-m", "toolgate", "run", "-c", str(config)]
    with running(command, port, folder / "gateway.log", env):
        yield f"http://127.0.0.1:{port}"


def _until_listening(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise Broken(f"{process.args!r} does not listen on {port}:\n{log.read_text()[-2000:]}")
