"""The commands people type. Each is thin: it reads, calls one function, prints, and says how it went by exit code.

0 ok, 1 failed, 2 bad input. Heavy imports stand inside the commands, since `--help` should be quick.
"""

import asyncio
import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from toolgate.errors import ConfigError

app = typer.Typer(
    no_args_is_help=True, add_completion=False, help="An MCP gateway: identify, judge, route, record."
)
policy_app = typer.Typer(no_args_is_help=True, help="Policies: run the tests that stand beside the rules.")
ledger_app = typer.Typer(no_args_is_help=True, help="The ledger: show it, verify it.")
key_app = typer.Typer(no_args_is_help=True, help="API keys.")
app.add_typer(policy_app, name="policy")
app.add_typer(ledger_app, name="ledger")
app.add_typer(key_app, name="key")

ConfigPath = Annotated[Path, typer.Option("-c", "--config", help="The config file.")]
AsJson = Annotated[bool, typer.Option("--json", help="For programs.")]
DEFAULT_CONFIG = Path("gateway.yaml")


@app.command()
def run(
    config: ConfigPath = DEFAULT_CONFIG,
    check_only: Annotated[bool, typer.Option("--check", help="Only validate.")] = False,
) -> None:
    """Run the gateway. Example: toolgate run -c gateway.yaml"""
    if check_only:
        check(config)
        return
    import uvloop

    from toolgate.app import serve
    from toolgate.config.load import load
    from toolgate.telemetry.logs import set_up

    log = load(config).value.log
    set_up(log.level, log.format)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
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
    call: Annotated[Path, typer.Option("--call", help="JSON file: the call, as `call:` writes it.")],
    config: ConfigPath = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """The decision for one call, every rule looked at, and why.

    Example: toolgate explain -c gateway.yaml --as caller.json --call call.json
    """
    from toolgate.inspection import explained

    answer = explained(config, _read_json(who), _read_json(call))
    _print(answer.as_dict() if as_json else None, answer.lines())


@policy_app.command("test")
def policy_test(
    paths: list[Path],
    config: Annotated[
        Path | None, typer.Option("-c", "--config", help="Its `environment` and SQL dialects hold.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Run the tests beside the policies. Example: toolgate policy test policies/"""
    import msgspec

    from toolgate.inspection import tested

    results = tested(paths, config)
    lines = [line for result in results for line in _case(result)]
    failed = sum(not result.passed for result in results)
    lines.append(f"{len(results) - failed} passed, {failed} failed")
    _print(msgspec.to_builtins(results) if as_json else None, lines)
    if failed or not results:
        raise typer.Exit(1)


@ledger_app.command("verify")
def ledger_verify(
    path: Annotated[Path, typer.Argument(help="The ledger's folder.")],
    head: Annotated[str | None, typer.Option(help="SEQ:HASH noted earlier; shows a cut end.")] = None,
    as_json: AsJson = False,
) -> None:
    """Check every line, their order and what was moved aside. Works offline, also on a copy."""
    import msgspec

    from toolgate.ledger.chain import Head
    from toolgate.ledger.verify import verify

    try:
        noted = None if head is None else Head.parse(head)
        report = verify(_folder(path), noted)
    except (OSError, ValueError) as error:
        _fail(str(error))
    _print(msgspec.to_builtins(report) if as_json else None, _verified(report))
    if not report.ok:
        raise typer.Exit(1)


@ledger_app.command("show")
def ledger_show(
    path: Annotated[Path, typer.Argument(help="The ledger's folder.")],
    last: Annotated[int | None, typer.Option(help="Only the last so many.")] = None,
    agent: Annotated[str | None, typer.Option(help="A glob.")] = None,
    user: Annotated[str | None, typer.Option(help="A glob.")] = None,
    tool: Annotated[str | None, typer.Option(help="A glob: server/name, or the name alone.")] = None,
    decision: Annotated[str | None, typer.Option(help="allow, deny or approve.")] = None,
    outcome: Annotated[str | None, typer.Option(help="ok, refused, error, ...")] = None,
    as_json: AsJson = False,
) -> None:
    """Print records. Example: toolgate ledger show ledger --last 20 --decision deny"""
    from toolgate.ledger.show import Where, line, read

    where = Where(agent=agent, user=user, tool=tool, decision=decision, outcome=outcome)
    for number, record in read(_folder(path), last=last, where=where):
        typer.echo(json.dumps({"seq": number, **record}) if as_json else line(record))


@app.command()
def schema() -> None:
    """JSON Schema of the config file, for editors."""
    from toolgate.config.schema import json_schema

    typer.echo(json.dumps(json_schema(), indent=2))


@key_app.command("new")
def key_new(name: Annotated[str, typer.Argument(help="The key's id in the config.")]) -> None:
    """Make an API key: printed once, only its hash goes into the config. Example: toolgate key new nightly"""
    from toolgate.identity.api_key import new_key

    text, digest = new_key()
    typer.echo(f"key (shown once): {text}")
    typer.echo(f'for identity.api_keys: {{id: {name}, hash: "{digest}", roles: []}}')


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


def _case(result: Any) -> list[str]:
    if result.passed:
        return [f"ok    {result.name}"]
    why = f"by rule {result.rule}" if result.rule else "since no rule matched"
    place = f"{result.file}:{result.line}"
    return [
        f"FAIL  {result.name} ({place}): expected {result.expected}, got {result.got} {why}",
        *result.errors,
    ]


def _verified(report: Any) -> list[str]:
    state = "intact" if report.ok else "NOT intact"
    lines = [
        f"{state}: {report.records} records in {report.segments} segments, {report.unfinished} calls unfinished",
        f"from {report.first_ts} to {report.last_ts}",
        f"head {report.head}  (note it elsewhere: --head shows later whether the end was cut)",
    ]
    lines += [f"{one.file}:{one.line}: {one.what}" for one in report.findings]
    return lines + ([f"and {report.more} findings more"] if report.more else [])


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        _fail(f"{path}: {error}")


def _folder(path: Path) -> Path:
    if not path.is_dir():
        _fail(f"{path} is not a folder. Name the folder of 'ledger.path' in the config.")
    return path


def _fail(text: str) -> Any:
    typer.echo(text, err=True)
    raise typer.Exit(2)


def _print(data: Any, lines: list[str]) -> None:
    if data is not None:
        typer.echo(json.dumps(data, indent=2, default=str))
        return
    for line in lines:
        typer.echo(line)
