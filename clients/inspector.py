"""MCP Inspector's command line, a process for each errand: `inspector.py COMMAND ERRANDS`."""

import json
import os
import subprocess
import sys
from typing import Any

SECONDS = 90


def _do(command: str, errand: dict[str, Any]) -> str:
    method = {"list": "tools/list", "call": "tools/call"}[errand["what"]]
    line = [command, "--cli", errand["url"], "--transport", "http", "--method", method, "--format", "json"]
    if method == "tools/call":
        line += ["--tool-name", errand["tool"]]
        for name, value in errand["arguments"].items():
            line += ["--tool-arg", f"{name}={value if isinstance(value, str) else json.dumps(value)}"]
    env = {**os.environ, "MCP_INSPECTOR_SECRET_STORE": "memory"}
    done = subprocess.run(line, env=env, capture_output=True, text=True, timeout=SECONDS)
    assert done.returncode == 0, f"exit {done.returncode}: {done.stderr[-400:]} {done.stdout[-400:]}"
    wanted = errand["tool"] if method == "tools/list" else errand["expect"]
    assert wanted in done.stdout, f"{wanted!r} is not in {done.stdout[:500]!r}"
    return "as expected"


def main() -> None:
    """Do every errand, print a line for each."""
    command = sys.argv[1]
    for errand in json.loads(sys.argv[2]):
        try:
            said, failed = _do(command, errand), False
        except (AssertionError, OSError, subprocess.SubprocessError) as error:
            said, failed = f"{type(error).__name__}: {error}"[:800], True
        print(
            json.dumps({"server": errand["server"], "what": errand["what"], "failed": failed, "said": said})
        )
        sys.stdout.flush()


main()
