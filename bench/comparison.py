"""The comparison: every target in turn, several rounds, medians. And how the cost grows with rules and tools."""

import contextlib
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from http.client import HTTPException
from pathlib import Path
from typing import Any

from bench import client, targets
from bench.client import WrongAnswerError
from bench.load import LoadError
from bench.measure import Figures, measure, medians
from bench.processes import StartError
from bench.targets import Started, Target

FAILURES = (StartError, LoadError, WrongAnswerError, HTTPException, OSError, subprocess.SubprocessError)
"""What can go wrong with one target without being a fault of the bench."""

DIRECT, NGINX, GOVERNED = "direct", "nginx", "Toolgate, governed"

TARGETS = (
    Target(NGINX, targets.nginx),
    Target("Toolgate, ungoverned", targets.ungoverned),
    Target(GOVERNED, targets.governed),
    Target("Toolgate, governed, /mcp", partial(targets.governed, path="/mcp")),
    Target("Toolgate, governed, durability: disk", partial(targets.governed, durability="disk")),
)


@dataclass(frozen=True)
class Effort:
    """How long and how often everything is measured."""

    seconds: float = 10.0
    rounds: int = 3
    warm: float = 1.0
    """Times each target's own warm-up."""


@dataclass
class Row:
    """One line of the table: every run, and why there are no more."""

    name: str
    runs: list[Figures] = field(default_factory=list)
    failed: str = ""

    def as_json(self) -> dict[str, Any]:
        """Plain data: the medians, then what they are medians of."""
        median = medians(self.runs).as_json() if self.runs else None
        return {"median": median, "runs": [run.as_json() for run in self.runs], "failed": self.failed}


def compare(folder: Path, chosen: Sequence[Target], effort: Effort, tell: Callable[[str], None]) -> list[Row]:
    """Direct, then each target, round by round. A target that fails once is not tried again."""
    rows = [Row(DIRECT), *(Row(target.name) for target in chosen)]
    with targets.upstream(folder) as behind:
        for turn in range(effort.rounds):
            tell(f"round {turn + 1} of {effort.rounds}: {DIRECT}")
            _run(rows[0], behind, effort, lambda _: contextlib.nullcontext(behind), 2.0)
            for row, target in zip(rows[1:], chosen, strict=True):
                if not row.failed:
                    tell(f"round {turn + 1} of {effort.rounds}: {target.name}")
                    start = partial(_in_own_folder, folder, target)
                    _run(row, behind, effort, start, target.warm_up)
    return rows


def grow(folder: Path, effort: Effort, tell: Callable[[str], None]) -> dict[str, Any]:
    """CPU per governed call on `/mcp` with many rules, many tools, and both; ratios to few of either."""
    sizes = {"10 rules, 10 tools": (10, 10), "10,000 rules": (10_000, 10), "500 tools": (10, 500)}
    sizes["10,000 rules, 500 tools"] = (10_000, 500)
    rows = {name: Row(name) for name in sizes}
    for turn in range(effort.rounds):
        for name, (rules, tools) in sizes.items():
            tell(f"round {turn + 1} of {effort.rounds}: {name}")
            target = Target(name, partial(targets.governed, rules=rules, path="/mcp"))
            with targets.upstream(folder, tools) as behind:
                _run(rows[name], behind, effort, partial(_in_own_folder, folder, target), target.warm_up)
    return {name: row.as_json() for name, row in rows.items()}


def _run(
    row: Row,
    behind: Started,
    effort: Effort,
    start: Callable[[int], contextlib.AbstractContextManager[Started]],
    warm_up: float,
) -> None:
    try:
        with start(behind.endpoint.port) as started:
            tree = None if started is behind else started.tree
            endpoint = client.ready(started.endpoint)
            row.runs.append(measure(endpoint, tree, behind, effort.seconds, warm_up * effort.warm))
    except FAILURES as error:
        row.failed = f"{type(error).__name__}: {error}"


@contextlib.contextmanager
def _in_own_folder(folder: Path, target: Target, port_behind: int) -> Iterator[Started]:
    own = folder / f"run-{len(list(folder.iterdir()))}"
    own.mkdir()
    with target.start(own, port_behind) as started:
        yield started
