"""`python -m bench`: what a governed call costs, beside nginx, direct and, with `--peers`, other gateways.

Load and upstream share one core, the gateway has the other. Trust CPU per call and ratios within a run; times
depend on the machine. Exit 0 measured, 1 something could not be measured, 2 something is missing here.
"""

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from bench import comparison, lifecycle, peers, report
from bench.comparison import Effort
from bench.decide import decide
from bench.targets import Target

_PACKAGES = {"nginx": "nginx", "wrk": "wrk", "taskset": "util-linux"}
_RESULTS = Path(__file__).parent / "results"
_SCENARIOS = ("calls", "scale", "decide", "start", "sessions", "streams", "reload")


def main() -> int:
    """Measure, print, store. The exit code."""
    options = _options()
    # Debian installs nginx there, and leaves it out of an ordinary user's PATH.
    os.environ["PATH"] += os.pathsep + "/usr/sbin"
    if problem := _missing():
        print(problem, file=sys.stderr)
        return 2
    facts = report.facts()
    # A pipe has no width: without one, the table would be cut to 80 columns.
    console = Console() if sys.stdout.isatty() else Console(width=120)
    chosen = [*comparison.TARGETS, *(peers.TARGETS if options.peers else ())]
    if options.only:
        chosen = [target for target in chosen if any(word in target.name.lower() for word in options.only)]
    with console.status("") as status:
        results = _measure(options, chosen, lambda text: status.update(text))
    found = report.checks(results, [target.name for target in peers.TARGETS])
    report.show(console, results, found)
    text = report.store(_RESULTS, {**facts, **peers.versions()}, results, found)
    console.print(f"stored as bench/results/{text.stem}.json and .md", highlight=False)
    return 1 if report.failures(results) else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--peers", action="store_true", help="other gateways too; installs them on first use")
    parser.add_argument(
        "--scenario", action="append", choices=_SCENARIOS, help="only this one; may be repeated"
    )
    parser.add_argument(
        "--only", action="append", type=str.lower, help="only targets whose name contains this"
    )
    parser.add_argument("--seconds", type=float, default=10.0, help="of load per measurement (%(default)g)")
    parser.add_argument("--rounds", type=int, default=3, help="medians are taken over so many (%(default)s)")
    parser.add_argument("--quick", action="store_true", help="a smoke run: its figures mean little")
    return parser.parse_args()


def _missing() -> str | None:
    for tool, package in _PACKAGES.items():
        if shutil.which(tool) is None:
            return f"{tool} is missing. On Debian: apt-get install {package}"
    if not {0, 1} <= os.sched_getaffinity(0):
        return "the bench needs cores 0 and 1: one for the gateway, one for load and upstream."
    return None


def _measure(
    options: argparse.Namespace, chosen: Sequence[Target], tell: Callable[[str], None]
) -> dict[str, Any]:
    quick = options.quick
    effort = Effort(2.0, 1, 0.5) if quick else Effort(options.seconds, options.rounds)
    scenarios: dict[str, Callable[[Path], dict[str, Any]]] = {
        "calls": lambda folder: {
            row.name: row.as_json() for row in comparison.compare(folder, chosen, effort, tell)
        },
        "scale": lambda folder: comparison.grow(folder, effort, tell),
        "decide": lambda folder: decide(folder, effort, 5, tell),
        "start": lambda folder: lifecycle.start(folder, 2 if quick else 5, tell),
        "sessions": lambda folder: lifecycle.sessions(folder, 500 if quick else 10_000, tell),
        "streams": lambda folder: lifecycle.streams(folder, 200 if quick else 5_000, tell),
        "reload": lambda folder: lifecycle.reload(folder, 5 if quick else 50, tell),
    }
    return {name: _attempt(scenarios[name]) for name in options.scenario or _SCENARIOS}


def _attempt(scenario: Callable[[Path], dict[str, Any]]) -> dict[str, Any]:
    """The scenario's results, or why there are none: one that fails does not cost the others."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        try:
            return scenario(Path(folder))
        except comparison.FAILURES as error:
            return {"failed": f"{type(error).__name__}: {error}"}


if __name__ == "__main__":
    sys.exit(main())
