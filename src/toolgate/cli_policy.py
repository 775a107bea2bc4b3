"""The commands of `toolgate policy`. All of them work on files alone; none changes a policy."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

policy_app = typer.Typer(
    no_args_is_help=True, help="Policies: test, compare, replay, propose. Applies nothing."
)

AsJson = Annotated[bool, typer.Option("--json", help="For programs.")]
Config = Annotated[
    Path | None, typer.Option("-c", "--config", help="Its `environment` and SQL dialects hold.")
]
LedgerFolder = Annotated[Path, typer.Option("--ledger", help="The ledger's folder.")]


@policy_app.command("test")
def run_cases(
    paths: list[Path],
    config: Config = None,
    coverage: Annotated[bool, typer.Option("--coverage", help="Which rules and branches are tried.")] = False,
    as_json: AsJson = False,
) -> None:
    """Run the tests beside the policies. Example: toolgate policy test --coverage policies/"""
    import msgspec

    from toolgate.inspection import covered, tested

    results = tested(paths, config)
    found = covered(paths, config) if coverage else None
    failed = sum(not result.passed for result in results)
    if as_json:
        cases = msgspec.to_builtins(results)
        _json(cases if found is None else {"cases": cases, "coverage": msgspec.to_builtins(found)})
    else:
        lines = [line for result in results for line in _case(result)]
        lines.append(f"{len(results) - failed} passed, {failed} failed")
        _lines([*lines, *(found.lines() if found is not None else ())])
    if failed or not results:
        raise typer.Exit(1)


@policy_app.command("diff")
def compare(
    before: Annotated[Path, typer.Argument(help="A policy file or folder.")],
    after: Annotated[Path, typer.Argument(help="The other.")],
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Compare two policies: rules, and what they decide. Example: toolgate policy diff old/ new/"""
    import msgspec

    from toolgate.inspection import compared

    found = compared(before, after, config)
    if as_json:
        _json(msgspec.to_builtins(found))
        return
    for word, rules in (("added", found.added), ("removed", found.removed), ("changed", found.changed)):
        _lines([f"{word}: {', '.join(rules)}"] if rules else [])
    _lines(f"{one.before} -> {one.after}  {one.target}  for {one.caller}" for one in found.differences)
    _lines([f"{len(found.differences)} of {found.compared} pairs of caller and target are decided otherwise"])


@policy_app.command("replay")
def replay(
    ledger: LedgerFolder,
    policies: Annotated[
        list[Path], typer.Option("--policies", help="A policy file or folder; may be repeated.")
    ],
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """What a policy would have decided for recorded calls.

    Example: toolgate policy replay --ledger ledger --policies candidate/
    """
    import msgspec

    from toolgate.inspection import replayed

    found = replayed(_records(ledger), policies, config)
    if as_json:
        _json(msgspec.to_builtins(found))
        return
    for one in found.changed:
        _lines([f"{one.count} x {one.was} -> {one.now} by {one.rule or 'the default'}"])
        _lines(f"    {example}" for example in one.examples)
    _lines(
        [
            f"{found.calls} calls: {found.same} decided alike, {sum(one.count for one in found.changed)} "
            f"otherwise, {found.unknown} unknown (they need arguments or claims that the ledger does not hold)"
        ]
    )


@policy_app.command("suggest")
def propose(
    ledger: LedgerFolder,
    agent: Annotated[str | None, typer.Option(help="Only agents like this glob.")] = None,
    as_json: AsJson = False,
) -> None:
    """Propose the smallest rules that cover what was really done.

    Example: toolgate policy suggest --ledger ledger > proposed.yaml
    """
    import msgspec

    from toolgate.policy.suggest import suggest

    found = suggest(_records(ledger, agent))
    if as_json:
        _json(msgspec.to_builtins(found))
    else:
        _lines(found.text().splitlines())


def _records(folder: Path, agent: str | None = None) -> Iterator[dict[str, Any]]:
    from toolgate.ledger.show import Where, read

    if not folder.is_dir():
        _fail(f"{folder} is not a folder. Name the folder of 'ledger.path' in the config.")
    return (record for _, record in read(folder, where=Where(agent=agent)))


def _case(result: Any) -> list[str]:
    if result.passed:
        return [f"ok    {result.name}"]
    why = f"by rule {result.rule}" if result.rule else "since no rule matched"
    place = f"{result.file}:{result.line}"
    return [
        f"FAIL  {result.name} ({place}): expected {result.expected}, got {result.got} {why}",
        *result.errors,
    ]


def _json(data: Any) -> None:
    typer.echo(json.dumps(data, indent=2))


def _lines(lines: Any) -> None:
    for line in lines:
        typer.echo(line)


def _fail(text: str) -> NoReturn:
    typer.echo(text, err=True)
    raise typer.Exit(2)
