"""The commands of `toolgate import`: other gateways' files become ours. The result goes to standard output."""

import re
from pathlib import Path
from typing import Annotated

import typer

import_app = typer.Typer(no_args_is_help=True, help="Write our files from those of other gateways.")


@import_app.callback()
def _group() -> None:
    """Keeps `traefik` a command of its own while it is the only one."""


@import_app.command("traefik")
def traefik(
    file: Annotated[Path, typer.Argument(help="A Middleware document, or its `spec.plugin.mcp` block.")],
    server: Annotated[
        str, typer.Option("--server", help="The server the middleware stands in front of; * for every one.")
    ] = "*",
    out: Annotated[Path | None, typer.Option("--out", help="Write here; never over a file.")] = None,
) -> None:
    """A policy file that decides what a Traefik Hub `mcp` middleware decides.

    Example: toolgate import traefik crm-mcp.yaml --server crm --out policies/crm.yaml
    """
    from toolgate.imports.traefik.document import read_middleware
    from toolgate.imports.traefik.translation import translate

    if re.fullmatch(r"[*]|[A-Za-z0-9][A-Za-z0-9.-]*", server) is None:
        typer.echo(f"--server: {server!r} cannot be a server's name.", err=True)
        raise typer.Exit(2)
    found = translate(read_middleware(file), server)
    text = found.text(f"Imported from the Traefik middleware {file.name}.")
    if out is None:
        typer.echo(text, nl=False)
    else:
        try:
            with out.open("x", encoding="utf-8") as opened:
                opened.write(text)
        except OSError as error:
            typer.echo(f"{out}: {error.strerror}.", err=True)
            raise typer.Exit(2) from None
    for note in found.notes:
        typer.echo(f"note: {note}", err=True)
