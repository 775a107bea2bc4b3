"""`python -m clients`: every client does every errand at every server through one gateway.

Installs clients and servers into `.tools/` on first use. Exit 0: all done; 1: some not; 2: it could not be run.
"""

import argparse
import http.server
import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from msgspec import Struct
from rich.console import Console
from rich.table import Table

from clients.catalogue import CLIENTS, Client, servers, typescript
from conformance import cells, processes, toolbox
from toolgate.ledger.show import read

RUN_SECONDS = 900
AT_ONCE = 2
"""Clients at a time, on a machine of two cores."""
SLOW = "trigger-long-running-operation"
_LETTERS = {"list": "l", "call": "c", "progress": "p", "cancel": "x", "elicitation": "e", "sampling": "s"}
PAGE = "what the fetch server is to find"


class Done(Struct, frozen=True):
    """How one errand went."""

    client: str
    server: str
    what: str
    failed: bool
    said: str


def main() -> int:
    """Run, print. The exit code."""
    parser = argparse.ArgumentParser(prog="python -m clients", description=__doc__)
    parser.add_argument("--only", action="append", help="only clients whose name contains this")
    options = parser.parse_args()
    chosen = [one for one in CLIENTS if not options.only or any(word in one.name for word in options.only)]
    with tempfile.TemporaryDirectory(prefix="clients-") as temporary, ExitStack() as stack:
        folder = Path(temporary)
        try:
            commands = {client.name: client.command() for client in chosen}
            address, page, files = _behind(stack, folder)
        except (toolbox.Missing, processes.Broken) as error:
            print(error, file=sys.stderr)
            return 2
        env = {**toolbox.with_node(), "TOOLGATE_NODE_MODULES": str(typescript())}
        with ThreadPoolExecutor(AT_ONCE) as pool:
            work = [
                pool.submit(_sent, one, commands[one.name], _errands(one, address, page, files), env)
                for one in chosen
            ]
            done = [errand for future in work for errand in future.result()]
        done += _taken_back(folder / "ledger", done)
    return _report(done, chosen)


def _behind(stack: ExitStack, folder: Path) -> tuple[str, str, Path]:
    """Servers and gateway: the gateway's address, that of a page to fetch, a folder to read."""
    files = folder / "files"
    files.mkdir()
    (files / "hello.txt").write_text("hello from a file\n")
    subprocess.run(["git", "init", "--quiet", "--initial-branch=trunk", str(files)], check=True)
    (dual,) = (server for server in cells.SERVERS if server.name == "dual")
    port = processes.free_port()
    env = {**os.environ, **dual.env()}
    stack.enter_context(processes.running(dual.command(str(port)), port, folder / "dual.log", env))
    behind = {"dual": f"{{url: 'http://127.0.0.1:{port}/mcp'}}", **servers(files)}
    page = stack.enter_context(_page())
    return stack.enter_context(processes.gateway(folder, behind, os.environ)), page, files


@contextmanager
def _page() -> Iterator[str]:
    class Page(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("content-type", "text/plain")
            self.end_headers()
            self.wfile.write(PAGE.encode())

        def log_message(self, *args: Any) -> None:
            """Quiet."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/"
    finally:
        server.shutdown()
        server.server_close()


def _errands(client: Client, address: str, page: str, files: Path) -> list[dict[str, Any]]:
    """What this client is sent to do."""
    calls: dict[str, tuple[str, dict[str, Any], str]] = {
        "everything": ("echo", {"message": "hello there"}, "hello there"),
        "filesystem": ("read_text_file", {"path": str(files / "hello.txt")}, "hello from a file"),
        "memory": ("read_graph", {}, "entities"),
        "git": ("git_status", {"repo_path": str(files)}, "trunk"),
        "time": ("get_current_time", {"timezone": "Etc/UTC"}, "Etc/UTC"),
        "fetch": ("fetch", {"url": page}, PAGE),
        "dual": ("test_simple_text", {}, "simple text response"),
    }
    everyone = {f"{name}": (f"{address}/servers/{name}/mcp", *call) for name, call in calls.items()}
    everyone["all"] = (f"{address}/mcp", "time__get_current_time", {"timezone": "Etc/UTC"}, "Etc/UTC")
    errands = []
    for name, (url, tool, arguments, expect) in everyone.items():
        place = {"server": name, "url": url}
        plain = {"tool": tool, "arguments": arguments, "expect": expect}
        errands += [{**place, **plain, "what": "list"}, {**place, **plain, "what": "call"}]
        if name == "everything":
            slow = {"tool": SLOW, "arguments": {"duration": 1, "steps": 4}}
            endless = {**slow, "arguments": {"duration": 120, "steps": 240}}
            errands.append({**place, **slow, "what": "progress"})
            errands.append({**place, **endless, "what": "cancel", "after": plain})
    for what, tool, arguments in _questions(modern=client.modern):
        place = {"server": "dual", "url": f"{address}/servers/dual/mcp"}
        errands.append({**place, "what": what, "tool": tool, "arguments": arguments, "expect": "forty-two"})
    return [errand for errand in errands if errand["what"] not in client.cannot]


def _questions(*, modern: bool) -> list[tuple[str, str, dict[str, Any]]]:
    if modern:
        names = ("test_input_required_result_elicitation", "test_input_required_result_sampling")
        return [("elicitation", names[0], {}), ("sampling", names[1], {})]
    return [
        ("elicitation", "test_elicitation", {"message": "?"}),
        ("sampling", "test_sampling", {"prompt": "?"}),
    ]


def _sent(
    client: Client, command: list[str], errands: list[dict[str, Any]], env: dict[str, str]
) -> list[Done]:
    try:
        ran = subprocess.run(
            [*command, json.dumps(errands)], env=env, capture_output=True, text=True, timeout=RUN_SECONDS
        )
        out, end = ran.stdout, f"exit {ran.returncode}: {ran.stderr[-800:]}"
    except subprocess.TimeoutExpired as late:
        out, end = (late.stdout or b"").decode(), f"not done within {RUN_SECONDS} s"
    lines = [json.loads(line) for line in out.splitlines() if line.startswith("{")]
    done = [Done(client.name, **line) for line in lines]
    return done + [Done(client.name, one["server"], one["what"], True, end) for one in errands[len(done) :]]


def _taken_back(ledger: Path, done: list[Done]) -> list[Done]:
    """Whether the gateway noticed that the clients changed their minds: its ledger says how each call ended."""
    ended = [record.get("outcome") for _, record in read(ledger) if record.get("target") == SLOW]
    noticed = sum(outcome in ("cancelled", "cut") for outcome in ended)
    wanted = sum(one.what == "cancel" and not one.failed for one in done)
    if noticed == wanted:
        return []
    return [
        Done(
            "toolgate",
            "everything",
            "cancel",
            True,
            f"{wanted} calls were cancelled, the ledger has {noticed}",
        )
    ]


def _report(done: list[Done], chosen: list[Client]) -> int:
    places = list(dict.fromkeys(one.server for one in done))
    table = Table("client", *places)
    for client in chosen:
        table.add_row(
            client.name, *(_cell([one for one in done if _is(one, client, place)]) for place in places)
        )
    console = Console(highlight=False) if sys.stdout.isatty() else Console(highlight=False, width=160)
    console.print(table)
    console.print("l list, c call, p progress, x cancel, e elicitation, s sampling; in capitals what failed")
    failed = [one for one in done if one.failed]
    for one in failed:
        console.print(f"{one.client}  {one.server} {one.what}: {one.said}", markup=False)
    console.print(f"{len(done) - len(failed)} passed, {len(failed)} failed")
    return 1 if failed else 0


def _is(one: Done, client: Client, place: str) -> bool:
    return (one.client, one.server) == (client.name, place)


def _cell(done: list[Done]) -> str:
    return "".join(_LETTERS[one.what].upper() if one.failed else _LETTERS[one.what] for one in done) or "-"


sys.exit(main())
