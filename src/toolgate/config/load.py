"""A file to a validated model, or every fault in it. Knows the order of the steps, not the keys."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

from pydantic import BaseModel, ValidationError

from toolgate.config.document import Document, parse
from toolgate.config.globs import expand
from toolgate.config.problems import Renamed, explain
from toolgate.config.references import References
from toolgate.config.schema import GatewayConfig
from toolgate.config.schema_auth import ForwardAuth
from toolgate.config.schema_servers import HttpServer
from toolgate.errors import ConfigError, Problem

MAX_FILE_BYTES = 4 * 1024 * 1024

_RENAMED: Renamed = {
    "mcpServers": (
        "servers",
        "Rename it to 'servers:'.",
    ),
}

Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True)
class Loaded(Generic[Model]):
    """A valid file: its model, and what is needed to speak about its keys."""

    value: Model
    text: bytes = field(repr=False)
    """The file as it was read."""
    folder: Path
    """What relative paths in it are seen from."""
    files: tuple[Path, ...]
    """The file itself and the secret files it names."""
    read_at: int
    """Unix nanoseconds just before it was read; what changes later is not in it."""
    document: Document = field(repr=False)

    def locate(self, path: tuple[str | int, ...]) -> tuple[str, int, int]:
        """File, line and column of the key, or of its nearest ancestor that the file has."""
        return self.document.file, *self.document.locate(path)

    def problem(self, path: tuple[str | int, ...], text: str, remedy: str = "") -> Problem:
        """A fault that only a later step could find, at its place in the file."""
        return self.document.problem(path, text, remedy)


def load(path: str | Path) -> Loaded[GatewayConfig]:
    """The gateway's config. Raises `ConfigError` with every problem found; nothing is changed by then."""
    loaded = read(path, GatewayConfig, renamed=_RENAMED)
    problems = list(_unshared_audiences(loaded))
    for at, pattern in enumerate(loaded.value.policies):
        try:
            expand(pattern, loaded.folder)
        except ValueError as error:
            problems.append(loaded.problem(("policies", at), str(error)))
    if problems:
        raise ConfigError(problems)
    return loaded


def _unshared_audiences(loaded: Loaded[GatewayConfig]) -> Iterator[Problem]:
    """A caller's token goes on only to a server it is issued for: the gateway must accept that audience."""
    ours = {audience for issuer in loaded.value.identity.issuers for audience in issuer.audience}
    for name, server in loaded.value.servers.items():
        auth = server.auth if isinstance(server, HttpServer) else None
        if isinstance(auth, ForwardAuth) and auth.audience not in ours:
            text = "no issuer's tokens are accepted for this audience, so none may be forwarded."
            remedy = "Add it to 'identity.issuers[].audience', or use 'type: token_exchange'."
            yield loaded.problem(("servers", name, "auth", "audience"), text, remedy)


def policy_files(loaded: Loaded[GatewayConfig]) -> tuple[Path, ...]:
    """The policy files there are now, each once, in the order of the patterns. Raises `ConfigError`."""
    files: dict[Path, None] = {}
    for at, pattern in enumerate(loaded.value.policies):
        try:
            files.update(dict.fromkeys(expand(pattern, loaded.folder)))
        except ValueError as error:
            raise ConfigError([loaded.problem(("policies", at), str(error))]) from None
    return tuple(files)


def read(
    path: str | Path, model: type[Model], *, renamed: Mapping[str, tuple[str, str]] | None = None
) -> Loaded[Model]:
    """One YAML file as `model`, with secrets resolved. Raises `ConfigError` with every problem found.

    `renamed` explains top-level keys that people bring from elsewhere: our key, and the remedy to show.
    """
    file = Path(path)
    read_at = time.time_ns()
    text = _bytes(file)
    parsed = parse(text, str(path))
    folder = file.absolute().parent
    references = References(parsed, folder)
    data = references.resolve({} if parsed.data is None else parsed.data)
    try:
        value = model.model_validate(data, context={"folder": folder})
        faults = []
    except ValidationError as error:
        found = explain(error, parsed, model, renamed or {})
        faults = [problem for at, problem in found if at not in references.unresolved]
    problems = references.problems + faults
    # Raised out here, so that no traceback carries pydantic's error, which holds the values.
    if problems:
        raise ConfigError(sorted(problems, key=lambda problem: (problem.line, problem.column)))
    return Loaded(value, text, folder, (file.absolute(), *references.files), read_at, parsed)


def _bytes(file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            text = opened.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        fault = f"cannot be read: {error.strerror}."
    except ValueError:
        fault = "cannot be read: not a path."
    else:
        if len(text) <= MAX_FILE_BYTES:
            return text
        fault = f"larger than {MAX_FILE_BYTES} bytes."
    raise ConfigError([Problem(fault, file=str(file))])
