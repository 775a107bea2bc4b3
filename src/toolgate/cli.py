"""The commands people type. Each is thin: it reads, calls one function, prints, and says how it went by exit code.

0 ok, 1 failed, 2 bad input. Heavy imports stand inside the commands, since `--help` should be quick.
"""

import asyncio
import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from toolgate.cli_identity import key_app, whoami
from toolgate.cli_ledger import ledger_app
from toolgate.cli_policy import policy_app
from toolgate.errors import ConfigError
from toolgate.imports.command import import_app

app = typer.Typer(
    no_args_is_help=True, add_completion=False, help="An MCP gateway: identify, judge, route, record."
)
app.add_typer(policy_app, name="policy")
app.add_typer(import_app, name="import")
app.add_typer(ledger_app, name="ledger")
app.add_typer(key_app, name="key")
app.command("whoami")(whoami)

ConfigPath = Annotated[Path, typer.Option("-c", "--config", help="The config file.")]
AsJson = Annotated[bool, typer.Option("--json", help="For programs.")]
DEFAULT_CONFIG = Path("gateway.yaml")


@app.command()
def run(
    config: ConfigPath = DEFAULT_CONFIG,
    check_only: Annotated[bool, typer.Option("--check", help="Only validate.")] = False,
    stdio: Annotated[
        bool, typer.Option("--stdio", help="Serve one client on standard input and output instead.")
    ] = False,
) -> None:
    """Run the gateway. Example: toolgate run -c gateway.yaml"""
    if check_only:
        check(config)
        return
    import resource

    import uvloop

    from toolgate.app import serve, serve_stdio
    from toolgate.config.load import load
    from toolgate.telemetry.logs import set_up

    log = load(config).value.log
    set_up(log.level, log.format)
    # A core dump would hold every secret.
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        if stdio:
            from toolgate.listeners.stdio import private_output

            runner.run(serve_stdio(config, private_output()))
        else:
            runner.run(serve(config))


@app.command()
def check(config: ConfigPath = DEFAULT_CONFIG) -> None:
    """Validate config and policies and say what each rule costs. Example: toolgate check -c gateway.yaml"""
    from toolgate.inspection import inspect

    for line in inspect(config):
        typer.echo(line)


@app.command()
def explain(
    who: Annotated[
        Path, typer.Option("--as", help="JSON file: the caller, as a policy test's `as:` writes it.")
    ],
    call: Annotated[
        Path | None, typer.Option("--call", help="JSON file: the call, as `call:` writes it.")
    ] = None,
    tools: Annotated[
        bool, typer.Option("--tools", help="Every tool of the servers, which are asked, and its decision.")
    ] = False,
    config: ConfigPath = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """The decision for one call, every rule looked at, and why; or what a caller sees.

    Example: toolgate explain -c gateway.yaml --as caller.json --call call.json
    or: toolgate explain -c gateway.yaml --as caller.json --tools
    """
    from toolgate.inspection import explained, sight

    if tools == (call is not None):
        _fail("Name either a call with --call, or --tools for all that the caller sees.")
    if call is not None:
        answer = explained(config, _read_json(who), _read_json(call))
        _print(answer.as_dict() if as_json else None, answer.lines())
        return
    seen = sight(config, _read_json(who))
    _print(seen.as_dict() if as_json else None, seen.lines())
    if seen.missing:
        raise typer.Exit(1)


@app.command()
def schema() -> None:
    """JSON Schema of the config file, for editors."""
    from toolgate.config.schema import json_schema

    typer.echo(json.dumps(json_schema(), indent=2))


@app.command()
def demo(keep: Annotated[bool, typer.Option("--keep", help="Keep the folder of the run.")] = False) -> None:
    """The whole story in one terminal: servers, agent, refusals, and a ledger that proves itself."""
    from toolgate.demo import tell

    raise typer.Exit(asyncio.run(tell(keep=keep)))


def main() -> None:
    """Entry point of the `toolgate` command."""
    try:
        app()
    except ConfigError as error:
        typer.echo(str(error), err=True)
        sys.exit(2)


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        _fail(f"{path}: {error}")


def _fail(text: str) -> Any:
    typer.echo(text, err=True)
    raise typer.Exit(2)


def _print(data: Any, lines: list[str]) -> None:
    if data is not None:
        typer.echo(json.dumps(data, indent=2, default=str))
        return
    for line in lines:
        typer.echo(line)
