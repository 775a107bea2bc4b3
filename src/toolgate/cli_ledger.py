"""The commands of `toolgate ledger`. All of them work offline, on the files alone, also on a copy."""

import json
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

ledger_app = typer.Typer(no_args_is_help=True, help="The ledger: show it, verify it, prove a record.")

Folder = Annotated[Path, typer.Argument(help="The ledger's folder.")]
AsJson = Annotated[bool, typer.Option("--json", help="For programs.")]
Key = Annotated[str | None, typer.Option(help="The public key noted elsewhere: name+hash+key, or a file.")]


@ledger_app.command("verify")
def verify_(
    path: Folder,
    head: Annotated[str | None, typer.Option(help="SEQ:HASH noted earlier.")] = None,
    key: Key = None,
    checkpoint: Annotated[list[Path] | None, typer.Option(help="A checkpoint noted earlier.")] = None,
    archive: Annotated[list[Path] | None, typer.Option(help="A folder old segments were moved to.")] = None,
    as_json: AsJson = False,
) -> None:
    """Check every line, their order, the tree and its signature. Example: toolgate ledger verify ledger

    Without --key, the key beside the ledger is believed: accidents are found, but no forger who has all files.
    """
    import msgspec

    from toolgate.ledger.chain import Head
    from toolgate.ledger.verify import verify

    try:
        noted = None if head is None else Head.parse(head)
        checkpoints = [_checkpoint(file, key) for file in checkpoint or ()]
        report = verify(_folder(path), noted, key=_key(key), checkpoints=checkpoints, archives=archive or ())
    except (OSError, ValueError) as error:
        _fail(str(error))
    if as_json:
        typer.echo(json.dumps(msgspec.to_builtins(report), indent=2))
    else:
        _tell(report)
    if not report.ok:
        raise typer.Exit(1)


@ledger_app.command("show")
def show(
    path: Folder,
    last: Annotated[int | None, typer.Option(help="Only the last so many.")] = None,
    agent: Annotated[str | None, typer.Option(help="A glob.")] = None,
    user: Annotated[str | None, typer.Option(help="A glob.")] = None,
    tool: Annotated[str | None, typer.Option(help="A glob: server/name, or the name alone.")] = None,
    decision: Annotated[str | None, typer.Option(help="allow, deny or approve.")] = None,
    outcome: Annotated[str | None, typer.Option(help="ok, refused, error, ...")] = None,
    since: Annotated[str | None, typer.Option(help="A date, a date with time, or how long ago: 2h.")] = None,
    unseal: Annotated[
        bool, typer.Option("--unseal", help="Open what is sealed, with the keys here.")
    ] = False,
    keys: Annotated[Path | None, typer.Option(help="The folder of 'ledger.subject_keys'.")] = None,
    as_json: AsJson = False,
) -> None:
    """Print records. Reading is recorded, too. Example: toolgate ledger show ledger --last 20 --decision deny"""
    import time

    from toolgate.ledger import inbox
    from toolgate.ledger import show as shown
    from toolgate.ledger.segments import SUBJECTS
    from toolgate.ledger.subjects import secret_in
    from toolgate.ledger.values import unsealed

    folder = _folder(path)
    try:
        start = None if since is None else shown.since(since, time.time())
    except ValueError as error:
        _fail(str(error))
    where = shown.Where(agent=agent, user=user, tool=tool, decision=decision, outcome=outcome, since=start)
    secret = secret_in(keys or folder / SUBJECTS)
    count = 0
    for number, record in shown.read(folder, last=last, where=where):
        opened = unsealed(record, secret) if unseal else record
        typer.echo(json.dumps({"seq": number, **opened}) if as_json else shown.line(opened))
        count += 1
    inbox.leave(folder, "ledger/read", f"{count} records shown", records=count, unsealed=unseal)


@ledger_app.command("erase")
def erase(
    path: Folder,
    person: Annotated[str, typer.Option(help="The user, or the principal where there is none, as recorded.")],
    keys: Annotated[Path | None, typer.Option(help="The folder of 'ledger.subject_keys'.")] = None,
) -> None:
    """Destroy the keys of a person: what was sealed with them stays unreadable; the chain stays whole.

    Example: toolgate ledger erase ledger --person alice@example.com
    """
    from toolgate.ledger import inbox
    from toolgate.ledger.digest import load_key
    from toolgate.ledger.segments import KEY, SUBJECTS
    from toolgate.ledger.subjects import destroy, name_of

    folder = _folder(path)
    if not (folder / KEY).exists():
        _fail(f"{folder / KEY} is not here: without it, a person's keys cannot be told from others.")
    naming = load_key(folder)
    try:
        count = destroy(keys or folder / SUBJECTS, naming, person)
    except OSError as error:
        _fail(str(error))
    if not count:
        typer.echo(
            "There is no key of this person: nothing was sealed for them, or it is erased already.", err=True
        )
        raise typer.Exit(1)
    pseudonym = f"~{name_of(naming, person)}"
    inbox.leave(
        folder, "ledger/erased", f"{count} keys of {pseudonym} destroyed", subject=pseudonym, keys=count
    )
    typer.echo(f"{count} keys destroyed; records of {pseudonym} stay, and say no more who that was")


@ledger_app.command("export")
def export_(
    path: Folder,
    form: Annotated[str, typer.Option(help="record, ocsf, ecs or cef.")] = "record",
    since: Annotated[str | None, typer.Option(help="A date, a date with time, or how long ago: 24h.")] = None,
    until: Annotated[
        str | None, typer.Option(help="Likewise; records of that moment and later are left out.")
    ] = None,
) -> None:
    """Print the records of a period, one a line, for other programs. Exporting is recorded, too.

    Example: toolgate ledger export ledger --form ocsf --since 24h > day.jsonl
    """
    import sys
    import time

    from toolgate.ledger import export, inbox
    from toolgate.ledger.show import since as moment
    from toolgate.ledger.show import written
    from toolgate.wiring import SHAPES, load

    folder, now, count = _folder(path), time.time(), 0
    if form not in SHAPES:
        _fail(f"There is no form '{form}': record, ocsf, ecs and cef are known.")
    try:
        start = "" if since is None else written(moment(since, now))
        end = "~" if until is None else written(moment(until, now))
        for line in export.export(folder, load(SHAPES[form]), start, end):
            sys.stdout.buffer.write(line + b"\n")
            count += 1
        sys.stdout.buffer.flush()
    except (OSError, ValueError) as error:
        _fail(str(error))
    except export.Unreadable as error:
        typer.echo(f"The export is NOT whole. {error}", err=True)
        raise typer.Exit(1) from None
    finally:
        inbox.leave(folder, "ledger/read", f"{count} records exported as {form}", records=count, form=form)


@ledger_app.command("usage")
def usage_(
    path: Folder,
    by: Annotated[
        str, typer.Option(help="day, tenant, agent, user, task, server, tool, method: some of them.")
    ] = "tool",
    since: Annotated[str | None, typer.Option(help="A date, a date with time, or how long ago: 24h.")] = None,
    until: Annotated[
        str | None, typer.Option(help="Likewise; calls of that moment and later are left out.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Add up calls, errors, refusals, bytes, estimated tokens and time.

    Example: toolgate ledger usage ledger --by tenant,agent,day --since 2026-11-01 --until 2026-12-01
    """
    import time

    import msgspec

    from toolgate.ledger.show import since as moment
    from toolgate.ledger.show import written
    from toolgate.ledger.usage import Used, usage

    names, now = [name.strip() for name in by.split(",")], time.time()
    try:
        start = "" if since is None else written(moment(since, now))
        end = "~" if until is None else written(moment(until, now))
        found = usage(_folder(path), names, start, end)
    except (OSError, ValueError) as error:
        _fail(str(error))
    if as_json:
        rows = [
            {**dict(zip(names, key, strict=True)), **msgspec.to_builtins(sums)} for key, sums in found.items()
        ]
        typer.echo(json.dumps(rows, indent=2))
        return
    columns = Used.__struct_fields__
    table = [
        (*names, *columns),
        *((*key, *(str(getattr(sums, one)) for one in columns)) for key, sums in found.items()),
    ]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for row in table:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        numbers = [cell.rjust(width) for cell, width in zip(row, widths, strict=True)]
        typer.echo("  ".join(cells[: len(names)] + numbers[len(names) :]))


@ledger_app.command("archive")
def archive_(
    path: Folder,
    before: Annotated[str, typer.Option(help="A date, or how long ago: 8760h. Younger records stay.")],
    to: Annotated[Path, typer.Option(help="The folder to move them to.")],
) -> None:
    """Move old segments elsewhere. The tree stays, so all proofs stay. Works beside a running gateway.

    Example: toolgate ledger archive ledger --before 8760h --to /archive/ledger
    """
    import time

    from toolgate.ledger import archive
    from toolgate.ledger.show import since, written

    try:
        moved = archive.archive(_folder(path), written(since(before, time.time())), to)
    except (OSError, ValueError) as error:
        _fail(str(error))
    except archive.Unarchived as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from None
    for one in moved:
        typer.echo(str(one))


@ledger_app.command("prove")
def prove(
    path: Folder,
    record: Annotated[str | None, typer.Argument(help="The record's number or id.")] = None,
    line: Annotated[Path | None, typer.Option(help="Write the record's line to this file.")] = None,
    since: Annotated[
        Path | None, typer.Option(help="A checkpoint noted earlier: prove that the ledger only grew.")
    ] = None,
) -> None:
    """Print the proof that a record is in the signed tree (C2SP tlog-proof), or that the tree only grew.

    Example: toolgate ledger prove ledger 4711 --line record.json > record.tlog-proof
    """
    from toolgate.ledger import proof

    folder = _folder(path)
    if (record is None) == (since is None):
        _fail("Name a record, or a checkpoint with --since.")
    try:
        if since is not None:
            typer.echo(proof.prove_growth(folder, _text(since)), nl=False)
            return
        assert record is not None
        found = proof.find(folder, record)
        typer.echo(proof.prove(folder, found), nl=False)
        if line is not None:
            line.write_bytes(found)
    except (OSError, proof.Unproved) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from None


@ledger_app.command("check")
def check(
    proof_file: Annotated[Path, typer.Argument(metavar="PROOF", help="What `prove` printed.")],
    line: Annotated[Path, typer.Option(help="The record's line, as `prove --line` wrote it.")],
    key: Annotated[str, typer.Option(help="The public key: name+hash+key, or a file.")],
) -> None:
    """Check a proof without the ledger.

    Example: toolgate ledger check record.tlog-proof --line record.json --key verifier.key
    """
    from toolgate.ledger import proof

    try:
        known = _key(key)
        assert known is not None
        proved = proof.check(_text(proof_file), line.read_bytes(), known)
    except (OSError, ValueError) as error:
        _fail(str(error))
    except proof.Unproved as error:
        typer.echo(f"NOT proved: {error}", err=True)
        raise typer.Exit(1) from None
    tree = proved.checkpoint
    typer.echo(f"proved: record {proved.seq} is one of the {tree.size} that {tree.origin} signed")


def _tell(report: Any) -> None:
    state = "intact" if report.ok else "NOT intact"
    typer.echo(
        f"{state}: {report.records} records in {report.segments} segments, {report.unfinished} calls unfinished"
    )
    if report.archived:
        typer.echo(f"records 1 to {report.archived} are archived: --archive names where, to check them, too")
    typer.echo(f"from {report.first_ts} to {report.last_ts}")
    typer.echo(f"head {report.head}  (note it elsewhere: --head shows later whether the end was cut)")
    if report.checkpoint is not None:
        typer.echo(f"checkpoint over {report.checkpoint} records, signed by {report.key}")
        if not report.key_given:
            typer.echo("  (the key lies beside the ledger; note it elsewhere: --key then finds a forger too)")
    for one in report.findings:
        place = f"{one.file}:{one.line}: " if one.line else f"{one.file}: " if one.file else ""
        typer.echo(f"{place}{one.what}")
    if report.more:
        typer.echo(f"and {report.more} findings more")


def _key(text: str | None) -> Any:
    """The key a user named. Raises `ValueError` and `OSError`."""
    from toolgate.ledger.note import VerifierKey

    if text is None:
        return None
    if "+" in text:
        return VerifierKey.parse(text)
    if not Path(text).is_file():
        raise ValueError(f"{text} is neither a key, written name+hash+key, nor a file that holds one.")
    return VerifierKey.parse(_text(Path(text)))


def _checkpoint(path: Path, key: str | None) -> Any:
    """A checkpoint a user noted: whoever noted it answers for it, and with a key, its signature must fit too."""
    from toolgate.ledger.note import unchecked

    note = _text(path)
    known = _key(key)
    try:
        return known.checkpoint(note) if known else unchecked(note)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def _text(path: Path) -> str:
    with path.open("rb") as file:
        return file.read(1 << 20).decode(errors="replace")


def _folder(path: Path) -> Path:
    if not path.is_dir():
        _fail(f"{path} is not a folder. Name the folder of 'ledger.path' in the config.")
    return path


def _fail(text: str) -> NoReturn:
    typer.echo(text, err=True)
    raise typer.Exit(2)
