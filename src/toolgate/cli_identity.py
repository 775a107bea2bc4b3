"""The commands `toolgate key` and `toolgate whoami`."""

import asyncio
import json
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from toolgate.errors import ConfigError, Problem

key_app = typer.Typer(no_args_is_help=True, help="API keys: made, listed, replaced, revoked.")

Name = Annotated[str, typer.Argument(help="The key's id; records name it.")]
File = Annotated[Path, typer.Option("--file", help="The key file that 'identity.key_file' names.")]
Many = Annotated[list[str] | None, typer.Option()]
AsJson = Annotated[bool, typer.Option("--json", help="For programs.")]


@key_app.command("new")
def new(
    name: Name,
    file: Annotated[Path | None, typer.Option("--file", help="Put its hash into this key file.")] = None,
    agent: Annotated[str | None, typer.Option(help="The program that calls; left out, the id.")] = None,
    user: Annotated[str | None, typer.Option(help="The person it calls for.")] = None,
    tenant: Annotated[str | None, typer.Option(help="The organisation both belong to.")] = None,
    role: Many = None,
    scope: Many = None,
    tag: Many = None,
    expires: Annotated[str | None, typer.Option(help="2160h, or 2027-01-31T18:00:00Z.")] = None,
) -> None:
    """Make an API key: printed once, only its hash is kept.

    Example: toolgate key new nightly --file keys.yaml --role reporting --expires 2160h
    """
    from toolgate.config.key_file import changed
    from toolgate.identity.api_key import new_key

    text, digest = new_key()
    texts = {"agent": agent, "user": user, "tenant": tenant, "expires": _moment(expires)}
    lists = {"roles": role, "scopes": scope, "tags": tag}
    entry: dict[str, Any] = {"id": name, "hash": digest}
    entry |= {key: value for key, value in {**texts, **lists}.items() if value}
    if file is None:
        typer.echo(f"key (shown once): {text}\nfor identity.api_keys: {json.dumps(entry)}")
        return
    with changed(file) as entries:
        entries.append(entry)
    typer.echo(f"key (shown once): {text}\n{name} is in {file}.")


@key_app.command("rotate")
def rotate(
    name: Name,
    file: File,
    overlap: Annotated[str, typer.Option(help="How long the former key is still accepted.")] = "24h",
) -> None:
    """Replace a key; both are accepted for a while. Example: toolgate key rotate nightly --file keys.yaml"""
    from toolgate.config.key_file import changed, entry
    from toolgate.identity.api_key import new_key

    text, digest = new_key()
    until = _moment(overlap)
    with changed(file) as entries:
        one = entry(entries, name, file)
        now = _text(time.time())
        former = [key for key in one.get("previous", []) if key["until"] > now]
        one["previous"] = [*former, {"hash": one["hash"], "until": until}]
        one["hash"] = digest
    typer.echo(f"key (shown once): {text}\nThe former one is accepted until {until}.")


@key_app.command("list")
def list_(file: File, as_json: AsJson = False) -> None:
    """The keys of a file. Example: toolgate key list --file keys.yaml"""
    from toolgate.config.key_file import read_keys

    keys = read_keys(file).value.keys
    if as_json:
        typer.echo(
            json.dumps([key.model_dump(mode="json", exclude={"hash", "previous"}) for key in keys], indent=2)
        )
        return
    now = time.time()
    for key in keys:
        over = key.expires is not None and key.expires <= now
        state = "expired" if over else "no end" if key.expires is None else f"until {_text(key.expires)}"
        former = sum(one.until > now for one in key.previous)
        more = f", {former} former still accepted" if former else ""
        typer.echo(f"{key.id:24} {key.agent or key.id:24} {' '.join(key.roles) or '-':20} {state}{more}")


@key_app.command("revoke")
def revoke(name: Name, file: File) -> None:
    """Take a key and its former ones out; a running gateway refuses them at once.

    Example: toolgate key revoke nightly --file keys.yaml
    """
    from toolgate.config.key_file import changed, entry

    with changed(file) as entries:
        entries.remove(entry(entries, name, file))
    typer.echo(f"{name} is revoked.")


def whoami(
    token: Annotated[str, typer.Option(help="A token or API key, @FILE, or - for standard input.")],
    config: Annotated[Path, typer.Option("-c", "--config", help="The config file.")] = Path("gateway.yaml"),
    as_json: AsJson = False,
) -> None:
    """What the gateway makes of a token or key, and why it would refuse it. Exit code 1 where it would.

    Example: toolgate whoami -c gateway.yaml --token @token.txt
    """
    from toolgate.whoami import who

    seen = asyncio.run(who(config, _token(token), time.time()))
    typer.echo(json.dumps(seen.as_dict(), indent=2) if as_json else "\n".join(seen.lines()))
    if seen.refused is not None:
        raise typer.Exit(1)


def _token(text: str) -> str:
    try:
        if text == "-":
            text = sys.stdin.read()
        elif text.startswith("@"):
            text = Path(text[1:]).read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError([Problem(f"--token cannot be read: {type(error).__name__}.")]) from None
    return text.strip()


def _moment(text: str | None) -> str | None:
    """RFC 3339 text of a moment, or of a duration from now. Raises `ConfigError`."""
    from pydantic_core import PydanticCustomError

    from toolgate.config.units import duration, moment

    if text is None:
        return None
    try:
        return _text(moment(text) if "T" in text else time.time() + duration(text))
    except PydanticCustomError as error:
        raise ConfigError([Problem(error.message())]) from None


def _text(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
