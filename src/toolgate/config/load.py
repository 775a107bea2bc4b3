"""A file to a validated model, or every fault in it. Knows the order of the steps, not the keys."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Generic, TypeVar

from pydantic import BaseModel, ValidationError

from toolgate.config.document import Document, parse
from toolgate.config.globs import expand
from toolgate.config.problems import Renamed, explain
from toolgate.config.references import References
from toolgate.config.schema import GatewayConfig
from toolgate.config.schema_auth import ForwardAuth
from toolgate.config.schema_identity import KeyFile
from toolgate.config.schema_servers import HttpServer
from toolgate.config.stores.places import stores
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
    """The file as it was read, and the key file behind it."""
    folder: Path
    """What relative paths in it are seen from."""
    files: tuple[Path, ...]
    """The file itself and the secret files it names."""
    read_at: int
    """Unix nanoseconds just before it was read; what changes later is not in it."""
    document: Document = field(repr=False)
    silent: str | None = field(default=None, repr=False)
    """A digest of the secrets from places that give no sign of a change, such as a vault; None without any."""

    def locate(self, path: tuple[str | int, ...]) -> tuple[str, int, int]:
        """File, line and column of the key, or of its nearest ancestor that the file has."""
        return self.document.file, *self.document.locate(path)

    def problem(self, path: tuple[str | int, ...], text: str, remedy: str = "") -> Problem:
        """A fault that only a later step could find, at its place in the file."""
        return self.document.problem(path, text, remedy)


def load(path: str | Path) -> Loaded[GatewayConfig]:
    """The gateway's config. Raises `ConfigError` with every problem found; nothing is changed by then."""
    loaded = _with_key_file(read(path, GatewayConfig, renamed=_RENAMED))
    problems = list(_unshared_audiences(loaded))
    for at, pattern in enumerate(loaded.value.policies):
        try:
            expand(pattern, loaded.folder)
        except ValueError as error:
            problems.append(loaded.problem(("policies", at), str(error)))
    if problems:
        raise ConfigError(problems)
    return loaded


def _with_key_file(loaded: Loaded[GatewayConfig]) -> Loaded[GatewayConfig]:
    """The same with the keys of its key file among the others. Raises `ConfigError`."""
    identity = loaded.value.identity
    if identity.key_file is None:
        return loaded
    keys = read(identity.key_file, KeyFile)
    own = {key.id for key in identity.api_keys}
    problems = [
        keys.problem(("keys", at, "id"), "the config itself has a key of this id.")
        for at, key in enumerate(keys.value.keys)
        if key.id in own
    ]
    if problems:
        raise ConfigError(problems)
    merged = identity.model_copy(update={"api_keys": identity.api_keys + keys.value.keys})
    return replace(
        loaded,
        value=loaded.value.model_copy(update={"identity": merged}),
        text=loaded.text + keys.text,
        files=loaded.files + keys.files,
        read_at=min(loaded.read_at, keys.read_at),
    )


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
    text = read_bytes(file)
    parsed = parse(text, str(path))
    folder = file.absolute().parent
    raw = {} if parsed.data is None else parsed.data
    with stores(parsed, raw, folder) as places:
        references = References(parsed, places)
        data = references.resolve(raw)
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
    files = dict.fromkeys((file.absolute(), *references.files))
    return Loaded(value, text, folder, tuple(files), read_at, parsed, references.silent)


def read_bytes(file: Path) -> bytes:
    """A file of bounded size. Raises `ConfigError`."""
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
