"""The table, the ratios and the limits they are held to; as text for people and as JSON for later runs."""

import json
import os
import platform
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.comparison import DIRECT, GOVERNED, NGINX
from bench.measure import CONNECTIONS, FEW

LEGEND = (
    "CPU: of the gateway's process tree, per call. busy: share of its core it used; well under 1, and the load side "
    f"was the limit. All at {CONNECTIONS} connections but: few, CPU at {FEW}; alone, p50 at one. MB: PSS."
)
COLUMNS = (
    "target",
    "CPU µs",
    "x nginx",
    "few µs",
    "x nginx",
    "calls/s",
    "x direct",
    "busy",
    "p50 µs",
    "p99 µs",
    "alone µs",
    "x nginx",
    "MB",
)


@dataclass(frozen=True)
class Check:
    """One figure that is held to a limit."""

    what: str
    value: float
    limit: float
    at_least: bool = False

    @property
    def met(self) -> bool:
        """Whether the limit holds."""
        return self.value >= self.limit if self.at_least else self.value <= self.limit

    def __str__(self) -> str:
        words = "at least" if self.at_least else "at most"
        return f"{self.what}: {self.value:g} ({words} {self.limit:g}: {'met' if self.met else 'MISSED'})"


def table_rows(calls: Mapping[str, Any]) -> list[list[str]]:
    """The comparison as cells; a target that failed shows why instead."""
    nginx, direct = _median(calls, NGINX), _median(calls, DIRECT)
    return [[name, *_cells(row, nginx, direct)] for name, row in calls.items() if _median(calls, name)]


def checks(results: Mapping[str, Any], peers: Sequence[str]) -> list[Check]:
    """Every limit for which this run has the figures."""
    found: list[Check] = []
    calls = results.get("calls", {})
    nginx, governed = _median(calls, NGINX), _median(calls, GOVERNED)
    if nginx and governed:
        found.append(Check("governed, CPU x nginx", _ratio(governed["cpu_us"], nginx["cpu_us"]), 4))
        alone = _ratio(governed["p50_alone_us"], nginx["p50_alone_us"])
        found.append(Check("governed, p50 at one connection x nginx", alone, 2))
    for peer in peers:
        if governed and (figures := _median(calls, peer)):
            ratio = _ratio(figures["cpu_us"], governed["cpu_us"])
            found.append(Check(f"{peer}, CPU x governed", ratio, 200, at_least=True))
    found += _growth(results.get("scale", {}))
    found += _decisions(results.get("decide", {}))
    if "median_seconds" in results.get("start", {}):
        found.append(
            Check("seconds from start to first governed call", results["start"]["median_seconds"], 1.5)
        )
    if "rss_mb" in results.get("sessions", {}):
        count = results["sessions"]["sessions"]
        found.append(Check(f"RSS in MB after {count} sessions", results["sessions"]["rss_mb"], 120))
    if "kb_each" in results.get("streams", {}):
        count = results["streams"]["streams"]
        found.append(Check(f"KB for each of {count} idle streams", results["streams"]["kb_each"], 40))
    return found


def failures(results: Mapping[str, Any]) -> dict[str, str]:
    """What could not be measured, and why."""
    rows = [*results.get("calls", {}).items(), *results.get("scale", {}).items()]
    rows += [("decide", results.get("decide", {}).get("governed_call"))]
    found = {name: row["failed"] for name, row in rows if isinstance(row, dict) and row.get("failed")}
    found |= {name: part["failed"] for name, part in results.items() if isinstance(part.get("failed"), str)}
    return found


def show(console: Console, results: Mapping[str, Any], found: Sequence[Check]) -> None:
    """Print everything."""
    if rows := table_rows(results.get("calls", {})):
        table = Table(*COLUMNS)
        for row in rows:
            table.add_row(*row)
        console.print(table)
        console.print(LEGEND, style="dim", highlight=False)
    for line in _lines(results, found):
        console.print(line, markup=False, highlight=False)


def store(folder: Path, facts: Mapping[str, Any], results: Mapping[str, Any], found: Sequence[Check]) -> Path:
    """Write `<date>.json` and `<date>.md`; the path of the second."""
    folder.mkdir(exist_ok=True)
    name = time.strftime("%Y-%m-%dT%H%M%S")
    limits = [{**asdict(check), "met": check.met} for check in found]
    content = {"facts": facts, "results": results, "checks": limits}
    (folder / f"{name}.json").write_text(json.dumps(content, indent=2) + "\n")
    parts = [f"# Bench, {name}", "\n".join(f"- {key}: {value}" for key, value in facts.items())]
    if rows := table_rows(results.get("calls", {})):
        lines = [COLUMNS, ["---"] * len(COLUMNS), *rows]
        parts += ["\n".join("| " + " | ".join(line) + " |" for line in lines), LEGEND]
    parts.append("\n".join(f"- {line}" for line in _lines(results, found)))
    text = folder / f"{name}.md"
    text.write_text("\n\n".join(parts) + "\n")
    return text


def facts() -> dict[str, str]:
    """What the figures depend on: the machine and every version."""
    cpu = next((line for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line), ":")
    return {
        "cpu": f"{cpu.partition(':')[2].strip()}, {os.cpu_count()} cores",
        "kernel": platform.release(),
        "python": platform.python_version(),
        "load average at start": f"{os.getloadavg()[0]:.2f}",
        "toolgate": f"{version('toolgate')} {_first_line(['git', 'describe', '--always', '--dirty'])}",
        "nginx": _first_line(["nginx", "-v"]).partition("/")[2],
        "wrk": _first_line(["wrk", "-v"]).partition(" [")[0].removeprefix("wrk "),
    }


def _cells(row: Mapping[str, Any], nginx: Mapping[str, Any], direct: Mapping[str, Any]) -> list[str]:
    figures = row["median"]
    return [
        _number(figures["cpu_us"], 1),
        _number(_ratio(figures["cpu_us"], nginx.get("cpu_us")), 2),
        _number(figures["cpu_few_us"], 1),
        _number(_ratio(figures["cpu_few_us"], nginx.get("cpu_few_us")), 2),
        _number(figures["calls_per_second"], 0),
        _number(_ratio(figures["calls_per_second"], direct.get("calls_per_second")), 3),
        _number(figures["busy"], 2),
        _number(figures["p50_us"], 0),
        _number(figures["p99_us"], 0),
        _number(figures["p50_alone_us"], 0),
        _number(_ratio(figures["p50_alone_us"], nginx.get("p50_alone_us")), 2),
        _number(figures["pss_mb"], 0),
    ]


def _growth(scale: Mapping[str, Any]) -> list[Check]:
    medians = {
        name: row["median"]["cpu_us"]
        for name, row in scale.items()
        if isinstance(row, dict) and row["median"]
    }
    few = next(iter(scale), "")
    if few not in medians:
        return []
    many = (name for name in medians if name != few)
    return [Check(f"{name}, CPU x {few}", _ratio(medians[name], medians[few]), 1.3) for name in many]


def _decisions(decide: Mapping[str, Any]) -> list[Check]:
    if "list_us_unfiltered" not in decide:
        return []
    few, many = decide["decision_us_100_rules"], decide["decision_us_10000_rules"]
    lists = _ratio(decide["list_us_10000_rules"], decide["list_us_unfiltered"])
    found = [
        Check("decision with 10,000 rules, CPU x 100 rules", _ratio(many, few), 1.3),
        Check("list of 1,000 tools under 10,000 rules, CPU x unfiltered", lists, 1.5),
    ]
    if figures := decide["governed_call"]["median"]:
        found.append(Check("decision, share of a governed call's CPU", _ratio(few, figures["cpu_us"]), 0.167))
    return found


def _lines(results: Mapping[str, Any], found: Sequence[Check]) -> list[str]:
    parts = {name: results[name] for name in ("start", "sessions", "streams", "reload") if name in results}
    told = [
        f"{name}: " + ", ".join(f"{key} {value}" for key, value in part.items())
        for name, part in parts.items()
        if "failed" not in part
    ]
    failed = [f"{name} FAILED: {why}" for name, why in failures(results).items()]
    return [*map(str, found), *told, *failed]


def _median(calls: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Empty where there is none."""
    row = calls.get(name)
    return (row["median"] or {}) if isinstance(row, dict) else {}


def _ratio(value: float | None, to: float | None) -> Any:
    return round(value / to, 3) if value and to else None


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:,.{digits}f}"


def _first_line(argv: Sequence[str]) -> str:
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=10)
    return (done.stdout or done.stderr).partition("\n")[0].strip()
