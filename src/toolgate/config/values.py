"""The kinds of value that keys hold: names, lists, files, secrets. Knows no key; of the disk only whether a
named file is there."""

import base64
import binascii
import re
from pathlib import Path
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainValidator,
    SecretBytes,
    SecretStr,
    ValidationInfo,
)
from pydantic_core import PydanticCustomError

from toolgate.config.section import wrong

_SERVER_NAME = re.compile(r"[a-z][a-z0-9-]{0,31}")
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}")
_HEADER_VALUE = re.compile(r"[\x21-\x7e]([\x20-\x7e\t]*[\x21-\x7e])?")
_VARIABLE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

# What the gateway says itself on every exchange; a second opinion would be believed by someone.
_OWN_HEADERS = frozenset(
    [
        "accept",
        "connection",
        "content-length",
        "content-type",
        "host",
        "last-event-id",
        "mcp-method",
        "mcp-name",
        "mcp-protocol-version",
        "mcp-session-id",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    ]
)


def _server_name(value: str) -> str:
    if not _SERVER_NAME.fullmatch(value):
        raise wrong(
            "a server's name starts with a letter and has at most 32 lower-case letters, digits and dashes."
        )
    return value


def _header_name(value: str) -> str:
    if not _HEADER_NAME.fullmatch(value):
        raise wrong("this is no HTTP header name.")
    if value.lower() in _OWN_HEADERS:
        raise wrong("the gateway sets this header itself.", "Leave it out.")
    return value


def _header_value(value: SecretStr) -> SecretStr:
    if not _HEADER_VALUE.fullmatch(value.get_secret_value()):
        raise wrong("a header's value is visible ASCII, without spaces at its ends or line breaks.")
    return value


def _variable_name(value: str) -> str:
    if not _VARIABLE_NAME.fullmatch(value):
        raise wrong("a variable's name has letters, digits and underscores.")
    return value


def _no_nul(value: Any) -> Any:
    if "\0" in (value.get_secret_value() if isinstance(value, SecretStr) else value):
        raise wrong("the value contains a NUL character.")
    return value


def _as_list(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _path(value: object, info: ValidationInfo) -> Path:
    if not isinstance(value, str) or not value or "\0" in value:
        raise wrong("expected the path of a file or folder.")
    return in_folder(value, info)


def in_folder(value: str, info: ValidationInfo) -> Path:
    """The path as seen from the config's folder, where validation was told of one."""
    folder = (info.context or {}).get("folder")
    return folder / value if isinstance(folder, Path) else Path(value)


def no_such(what: str) -> PydanticCustomError:
    """The fault of a path that leads nowhere. Without the path: by mistake it may be a key's own text."""
    return wrong(f"there is no such {what}.", "Relative paths are seen from the config's folder.")


def _existing_file(value: Path, info: ValidationInfo) -> Path:
    if info.context and not value.is_file():
        raise no_such("file")
    return value


def _existing_folder(value: Path, info: ValidationInfo) -> Path:
    if info.context and not value.is_dir():
        raise no_such("folder")
    return value


def _command(value: str, info: ValidationInfo) -> str:
    # A bare name is looked up in PATH when the child is started; anything with a slash is a path.
    return str(in_folder(value, info)) if "/" in value else value


def _key(value: object) -> SecretBytes:
    """32 bytes, from 64 hex digits or base64 in either alphabet."""
    text = value.strip() if isinstance(value, str) else ""
    try:
        if re.fullmatch(r"[0-9A-Fa-f]{64}", text):
            return SecretBytes(bytes.fromhex(text))
        plain = text.rstrip("=").replace("-", "+").replace("_", "/")
        key = base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != 32:
        raise wrong("a key is 32 bytes, as base64 or hex.", "Make one with 'openssl rand -base64 32'.")
    return SecretBytes(key)


Text = Annotated[str, Field(min_length=1), AfterValidator(_no_nul)]
"""Text that says something."""

Flag = Annotated[bool, Field(strict=True)]
"""`true` or `false`, no other word for it."""

Count = Annotated[int, Field(strict=True, ge=1)]

Names = Annotated[
    tuple[Text, ...],
    BeforeValidator(_as_list, json_schema_input_type=str | list[str]),
]
"""One text or a list of them, held as a tuple."""

ServerName = Annotated[str, AfterValidator(_server_name)]
HeaderName = Annotated[str, AfterValidator(_header_name)]
HeaderValue = Annotated[SecretStr, AfterValidator(_header_value)]
VariableName = Annotated[str, AfterValidator(_variable_name)]
VariableValue = Annotated[SecretStr, AfterValidator(_no_nul)]
Argument = Annotated[str, AfterValidator(_no_nul)]
Command = Annotated[Text, AfterValidator(_command)]
SealKey = Annotated[SecretBytes, PlainValidator(_key, json_schema_input_type=str)]

AnyPath = Annotated[Path, PlainValidator(_path, json_schema_input_type=str)]
"""A path, relative ones seen from the config's folder. What it names may be missing."""
ExistingFile = Annotated[AnyPath, AfterValidator(_existing_file)]
ExistingFolder = Annotated[AnyPath, AfterValidator(_existing_folder)]
