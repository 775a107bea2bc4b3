"""One run of the official suite, and its checks. Knows nothing of gateways."""

import json
import os
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

from conformance import toolbox

PIN = "@modelcontextprotocol/conformance@0.2.0-alpha.12"
"""The dist-tag `latest` knows no server scenario of 2026-07-28."""

RUN_SECONDS = 600
RANK = {"INFO": 0, "SUCCESS": 1, "SKIPPED": 2, "WARNING": 3, "FAILURE": 4}
Checks = dict[str, str]
"""`scenario:check` to its worst status in the run, since some are reported once per message."""


class Failed(Exception):
    """The suite itself did not run; the text ends with what it said."""


def server(url: str, wire: str, results: Path, scenario: str | None = None) -> Checks:
    """Every scenario of a revision against one server, or only one of them."""
    what = ["--requirements", wire] if scenario is None else ["--scenario", scenario, "--spec-version", wire]
    _run(["server", "--url", url, *what, "-o", str(results)], os.environ)
    return read(results)


def client(command: str, scenario: str, wire: str, results: Path, env: Mapping[str, str]) -> Checks:
    """One scenario against one client, which gets the URL as its last argument."""
    wanted = ["--scenario", scenario, "--spec-version", wire, "--timeout", "60000"]
    _run(["client", "--command", command, *wanted, "-o", str(results)], env)
    return read(results)


def scenarios(wire: str) -> list[str]:
    """The names of a revision's client scenarios."""
    listed = _run(["list", "--client", "--requirements", wire], os.environ).partition("Client scenarios")[2]
    return re.findall(r"^ +- (\S+)(?: \[client\])?$", listed, re.MULTILINE)


def read(results: Path) -> Checks:
    """The checks of a run. Raises `Failed` where there are none."""
    worst: Checks = {}
    files = sorted(results.rglob("checks.json"))
    if not files:
        raise Failed(f"no checks in {results}")
    for file in files:
        folder = re.sub(r"-\d{4}-\d\d-\d\dT[\d-]+Z$", "", str(file.parent.relative_to(results)))
        scenario = folder.removeprefix("server-")
        for check in json.loads(file.read_text()):
            key, status = f"{scenario}:{check['id']}", check["status"]
            if status != "INFO" and RANK[status] > RANK[worst.get(key, "INFO")]:
                worst[key] = status
    return worst


def _run(arguments: list[str], env: Mapping[str, str]) -> str:
    command = toolbox.npm("suite", PIN) / ".bin" / "conformance"
    path = {"PATH": toolbox.with_node()["PATH"]}
    try:
        done = subprocess.run(
            [str(command), *arguments],
            env={**env, **path},
            capture_output=True,
            text=True,
            timeout=RUN_SECONDS,
        )
    except subprocess.TimeoutExpired:
        raise Failed(f"the suite did not end within {RUN_SECONDS} s: {' '.join(arguments)}") from None
    # A failed check ends with 1; what the suite could not do at all leaves no results.
    if done.returncode not in (0, 1):
        raise Failed(f"the suite ended with {done.returncode}:\n{(done.stdout + done.stderr)[-2000:]}")
    return done.stdout
