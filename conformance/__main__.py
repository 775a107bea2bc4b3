"""`python -m conformance`: the official suite direct and through the gateway, and what got lost on the way.

Installs Node, the suite and the reference servers into `.tools/` on first use. Exit 0: nothing lost but what
`differences.yaml` explains; 1: something is, or an explanation there explains nothing; 2: it could not be run.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from fnmatch import fnmatchcase
from pathlib import Path

from rich.console import Console
from rich.table import Table

from conformance import cells, differences, processes, suite, toolbox
from conformance.cells import CELLS, SERVERS, WIRES, Cell
from conformance.differences import Lost
from conformance.suite import Checks

HERE = Path(__file__).parent
THROUGH = f"{sys.executable} {HERE / 'through.py'}"
NOT_RUN = ("auth/*",)
"""Client scenarios about the gateway's own OAuth towards servers, which it does not have."""

AT_ONCE = 2
"""Client scenarios at a time: each is a suite, a gateway and a client on a machine of two cores."""


def main() -> int:
    """Run, print. The exit code."""
    parser = argparse.ArgumentParser(prog="python -m conformance", description=__doc__)
    parser.add_argument("--cell", default="*", help="only cells like this (`dual@*`, `client@2026-07-28`)")
    parser.add_argument("--keep", type=Path, help="a new folder for results and logs")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="conformance-") as temporary:
        folder = options.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=options.keep is None)
        try:
            cells.install()
            results = dict(_run(folder, options.cell))
        except (toolbox.Missing, processes.Broken, suite.Failed) as error:
            print(error, file=sys.stderr)
            return 2
    return _report(results)


def _run(folder: Path, wanted: str) -> Iterator[tuple[str, tuple[Checks, Checks]]]:
    """Direct and through the gateway, by cell."""
    chosen = [cell for cell in CELLS if fnmatchcase(cell.name, wanted)]
    if chosen:
        yield from _servers(folder, chosen)
    for wire in WIRES:
        if fnmatchcase(f"client@{wire}", wanted):
            yield f"client@{wire}", _clients(folder / f"client@{wire}", wire)


def _servers(folder: Path, chosen: list[Cell]) -> Iterator[tuple[str, tuple[Checks, Checks]]]:
    with ExitStack() as stack:
        urls, behind = {}, {}
        for server in SERVERS:
            if server.wires:
                port = processes.free_port()
                env = {**os.environ, **server.env()}
                log = folder / f"{server.name}.log"
                stack.enter_context(processes.running(server.command(str(port)), port, log, env))
                urls[server.name] = f"http://127.0.0.1:{port}/mcp"
                behind[server.name] = f"{{url: {urls[server.name]!r}}}"
            else:
                command, *arguments = server.command()
                behind[server.name] = f"{{command: {command}, args: {arguments}, env: {server.env()}}}"
        address = stack.enter_context(processes.gateway(folder, behind, os.environ))
        for cell in chosen:
            door = f"{address}/servers/{cell.server.name}/mcp"
            direct = suite.server(urls[cell.direct.name], cell.wire, folder / cell.name / "direct")
            through = suite.server(door, cell.wire, folder / cell.name / "through")
            yield cell.name, (direct, _again_alone(cell, door, direct, through, folder / cell.name))


def _again_alone(cell: Cell, door: str, direct: Checks, through: Checks, folder: Path) -> Checks:
    """With what was lost tried once more by itself: scenarios have deadlines, and a busy machine misses some."""
    lost = differences.lost(cell.name, direct, through, _known())
    for scenario in sorted({one.check.partition(":")[0] for one in lost if one.known is None}):
        print(f"{cell.name}: once more, alone: {scenario}", file=sys.stderr)
        through = {check: status for check, status in through.items() if not check.startswith(f"{scenario}:")}
        through |= suite.server(door, cell.wire, folder / f"again-{scenario}", scenario)
    return through


def _known() -> list[differences.Known]:
    return differences.read(HERE / "differences.yaml")


def _clients(folder: Path, wire: str) -> tuple[Checks, Checks]:
    """The SDK's client against the suite's mock server: what the gateway says to servers."""
    command = cells.client(cells.MODERN)
    names = [name for name in suite.scenarios(wire) if not any(fnmatchcase(name, no) for no in NOT_RUN)]

    def one(task: tuple[str, str, str]) -> Checks:
        way, line, scenario = task
        return suite.client(line, scenario, wire, folder / way / scenario.replace("/", "-"), os.environ)

    def all_of(way: str, line: str) -> Checks:
        with ThreadPoolExecutor(AT_ONCE) as pool:
            found = pool.map(one, [(way, line, name) for name in names])
            return {check: status for checks in found for check, status in checks.items()}

    return all_of("direct", command), all_of("through", f"{THROUGH} {command}")


def _report(results: dict[str, tuple[Checks, Checks]]) -> int:
    known = _known()
    table = Table("cell", "checks direct", "passed direct", "passed through", "lost", "explained")
    found: list[Lost] = []
    for cell, (direct, through) in results.items():
        lost = differences.lost(cell, direct, through, known)
        found += lost
        explained = sum(one.known is not None for one in lost)
        row = (len(direct), _passed(direct), _passed(through), len(lost), explained)
        table.add_row(cell, *map(str, row))
    # A pipe has no width: without one, the table would be cut to 80 columns.
    console = Console(highlight=False) if sys.stdout.isatty() else Console(highlight=False, width=160)
    for one in found:
        why = "LOST" if one.known is None else f"({known.index(one.known) + 1})"
        console.print(f"{one.cell}  {one.check}: {one.direct} -> {one.through}  {why}", markup=False)
    for number, entry in enumerate(known, 1):
        count = sum(one.known is entry for one in found)
        console.print(f"({number}) {entry.cells} {entry.checks}, {count} lost: {entry.reason}", markup=False)
    console.print(f"not run: {', '.join(NOT_RUN)}, since the gateway has no OAuth of its own towards servers")
    console.print(table)
    stale = differences.stale(known, found, list(results))
    for entry in stale:
        console.print(f"differences.yaml explains what is not lost: {entry.cells} {entry.checks}")
    return 1 if stale or any(one.known is None for one in found) else 0


def _passed(checks: Checks) -> int:
    return sum(status == "SUCCESS" for status in checks.values())


sys.exit(main())
