"""`python -m bench`: direct, nginx and Toolgate in one run. Load and upstream on one core, the gateway on the other.

Figures are CPU of the gateway's process tree per call and ratios within the run; absolute times depend on the machine.
"""

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench import client, load, messages, targets
from bench.messages import Endpoint
from bench.processes import free_port, running

RESULTS = Path(__file__).parent / "results"
console = Console()


def main() -> None:
    """Measure, print, store."""
    parser = argparse.ArgumentParser(prog="bench")
    parser.add_argument("--seconds", type=float, default=10.0, help="of each measurement")
    parser.add_argument("--rounds", type=int, default=3, help="medians are taken over so many")
    parser.add_argument("--quick", action="store_true", help="a smoke run")
    options = parser.parse_args()
    for tool in ("nginx", "wrk", "taskset"):
        if shutil.which(tool) is None:
            package = {"taskset": "util-linux"}.get(tool, tool)
            sys.exit(f"{tool} is missing: apt-get install {package}")
    seconds, rounds = (2.0, 1) if options.quick else (options.seconds, options.rounds)
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        rows = _measure_all(Path(folder), seconds, rounds)
        other = _others(Path(folder))
    _print(rows, other)
    RESULTS.mkdir(exist_ok=True)
    stored = RESULTS / f"{time.strftime('%Y-%m-%dT%H%M%S')}.json"
    stored.write_text(json.dumps({"rows": rows, **other}, indent=2))
    console.print(
        f"stored in {stored.relative_to(Path.cwd()) if stored.is_relative_to(Path.cwd()) else stored.name}"
    )


def _measure_all(folder: Path, seconds: float, rounds: int) -> list[dict[str, Any]]:
    kinds: dict[str, Any] = {
        "nginx": targets.nginx,
        "toolgate, ungoverned": targets.ungoverned,
        "toolgate, governed": targets.governed,
        "toolgate, governed, /mcp": partial(targets.governed, path="/mcp"),
        "toolgate, governed, 10 rules": partial(targets.governed, rules=10),
        "toolgate, governed, 10,000 rules": partial(targets.governed, rules=10_000),
        "toolgate, governed, durability: disk": partial(targets.governed, durability="disk"),
    }
    seen: dict[str, list[dict[str, float]]] = {name: [] for name in ("direct", *kinds)}
    with ExitStack() as stack:
        upstream = free_port()
        command = [sys.executable, "-m", "bench.upstream", str(upstream), "10"]
        stack.enter_context(running(command, targets.LOAD_CORE, folder / "upstream.log")).wait_for_port(
            upstream, 10
        )
        started = {}
        for name, start in kinds.items():
            own = folder / str(len(started))
            own.mkdir()
            started[name] = stack.enter_context(start(own, upstream))
            client.verify(started[name].endpoint)
        for turn in range(rounds):
            console.print(f"round {turn + 1} of {rounds}", style="dim")
            seen["direct"].append(_measure(Endpoint(upstream), None, seconds))
            for name, one in started.items():
                seen[name].append(_measure(one.endpoint, one.tree, seconds))
    return [{"target": name, **_medians(runs)} for name, runs in seen.items()]


def _measure(endpoint: Endpoint, tree: Any, seconds: float) -> dict[str, float]:
    load.run(endpoint, 16, 1, targets.LOAD_CORE)
    before = tree.cpu_seconds() if tree else 0.0
    busy = load.run(endpoint, 16, seconds, targets.LOAD_CORE)
    spent = tree.cpu_seconds() - before if tree else 0.0
    alone = load.run(endpoint, 1, max(1, seconds / 3), targets.LOAD_CORE)
    return {
        "cpu_us": spent * 1e6 / busy.calls,
        "calls_per_second": busy.calls_per_second,
        "p50_us": busy.p50_us,
        "p99_us": busy.p99_us,
        "p50_alone_us": alone.p50_us,
        "memory_mb": tree.memory().pss / 1e6 if tree else 0.0,
    }


def _medians(runs: list[dict[str, float]]) -> dict[str, float]:
    return {key: round(statistics.median(run[key] for run in runs), 1) for key in runs[0]}


def _others(folder: Path) -> dict[str, Any]:
    """Start to first governed call, and memory after 10,000 sessions."""
    with ExitStack() as stack:
        upstream = free_port()
        command = [sys.executable, "-m", "bench.upstream", str(upstream), "10"]
        stack.enter_context(running(command, targets.LOAD_CORE, folder / "upstream2.log")).wait_for_port(
            upstream, 10
        )
        starts = []
        for number in range(5):
            own = folder / f"start{number}"
            own.mkdir()
            began = time.perf_counter()
            with targets.governed(own, upstream) as started:
                client.verify(started.endpoint)
                starts.append(time.perf_counter() - began)
        own = folder / "sessions"
        own.mkdir()
        with targets.governed(own, upstream) as started:
            endpoint = Endpoint(
                started.endpoint.port,
                started.endpoint.path,
                "transfer_funds",
                messages.SESSIONS,
                started.endpoint.headers,
            )
            before = started.tree.memory().rss / 1e6
            with client.connect(endpoint) as one:
                for _ in range(10_000):
                    one.initialize()
            after = started.tree.memory().rss / 1e6
    return {
        "start_seconds": round(statistics.median(starts), 2),
        "memory_before_mb": round(before, 1),
        "memory_after_10000_sessions_mb": round(after, 1),
    }


def _print(rows: list[dict[str, Any]], other: dict[str, Any]) -> None:
    yardstick = next(row for row in rows if row["target"] == "nginx")
    table = Table(
        "target", "CPU us/call", "x nginx", "calls/s", "p50 us", "p99 us", "p50 us, 1 conn.", "x nginx", "MB"
    )
    for row in rows:
        table.add_row(
            row["target"],
            f"{row['cpu_us']:.1f}" if row["cpu_us"] else "-",
            f"{row['cpu_us'] / yardstick['cpu_us']:.2f}" if row["cpu_us"] else "-",
            f"{row['calls_per_second']:.0f}",
            f"{row['p50_us']:.0f}",
            f"{row['p99_us']:.0f}",
            f"{row['p50_alone_us']:.0f}",
            f"{row['p50_alone_us'] / yardstick['p50_alone_us']:.2f}",
            f"{row['memory_mb']:.0f}" if row["memory_mb"] else "-",
        )
    console.print(table)
    for key, value in other.items():
        console.print(f"{key.replace('_', ' ')}: {value}")


if __name__ == "__main__":
    try:
        main()
    except subprocess.SubprocessError as error:
        sys.exit(str(error))
