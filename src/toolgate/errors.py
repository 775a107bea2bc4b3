"""The two expected failures: a refused call and a config that cannot be used. Anything else is a bug."""

from typing import Any

# JSON-RPC and MCP codes (https://modelcontextprotocol.io/specification/2026-07-28/basic/index).
PARSE_ERROR = -32700
INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
INTERNAL_ERROR = -32603
HEADER_MISMATCH = -32020
MISSING_CAPABILITY = -32021
UNSUPPORTED_VERSION = -32022

# Codes of our own lie outside -32768..-32000, which JSON-RPC and MCP keep for themselves.
DENIED = -31403
UNAUTHENTICATED = -31401
TOO_LARGE = -31413
UPSTREAM_FAILED = -31502
UPSTREAM_UNAVAILABLE = -31503
UPSTREAM_TIMEOUT = -31504
IDENTITY_UNAVAILABLE = -31505
"""Callers cannot be identified at the moment; their credentials may be good."""
UNRECORDED = -31507
"""The ledger could not take the call, so it is not answered."""


class Refusal(Exception):
    """An expected no: little to the caller, everything to the record.

    `text` is what the caller reads; `reason` is what the record keeps. `kind` is the stable word that
    programs may switch on (`error.data.reason`). `status` is used where the client's revision lets an
    HTTP status speak. `headers` are extra response headers, such as a challenge.
    """

    def __init__(
        self,
        stage: str,
        kind: str,
        text: str,
        *,
        code: int,
        status: int,
        reason: str | None = None,
        data: dict[str, Any] | None = None,
        headers: tuple[tuple[bytes, bytes], ...] = (),
    ) -> None:
        super().__init__(reason or text)
        self.stage = stage
        self.kind = kind
        self.text = text
        self.reason = reason or text
        self.code = code
        self.status = status
        self.data = data
        self.headers = headers

    @classmethod
    def invalid(cls, text: str, *, code: int = INVALID_REQUEST, reason: str | None = None) -> "Refusal":
        """The message breaks the protocol."""
        return cls("protocol", "invalid_request", text, code=code, status=400, reason=reason)

    @classmethod
    def unknown(cls, what: str, *, reason: str | None = None) -> "Refusal":
        """The target does not exist, or not for this caller: both read the same."""
        return cls("routing", "unknown_target", what, code=INVALID_PARAMS, status=400, reason=reason)

    @classmethod
    def denied(cls, stage: str, text: str, *, reason: str | None = None) -> "Refusal":
        """The caller sees the target but may not use it in this call."""
        return cls(stage, "denied", text, code=DENIED, status=403, reason=reason)

    @classmethod
    def insufficient_scope(cls, scopes: tuple[str, ...], *, reason: str) -> "Refusal":
        """The caller may come back with a token of these scopes. The listener adds the challenge (RFC 6750)."""
        text = "This call needs a token with more scopes."
        data = {"reason": "insufficient_scope", "scopes": list(scopes)}
        return cls("identity", "insufficient_scope", text, code=DENIED, status=403, reason=reason, data=data)

    @classmethod
    def unauthenticated(cls, reason: str, *, text: str = "Authentication required.") -> "Refusal":
        """No credential, or one we do not accept. The listener adds the challenge (RFC 9728)."""
        return cls("identity", "unauthenticated", text, code=UNAUTHENTICATED, status=401, reason=reason)

    @classmethod
    def upstream(cls, kind: str, reason: str, *, code: int = UPSTREAM_FAILED, status: int = 502) -> "Refusal":
        """The server behind the gateway failed; the text names no host and quotes nothing of its answer."""
        return cls(
            "upstream", kind, "The server behind this tool failed.", code=code, status=status, reason=reason
        )

    @classmethod
    def unavailable(cls, reason: str) -> "Refusal":
        """The server behind the gateway cannot be reached at the moment."""
        text = "The server behind this tool cannot be reached at the moment."
        return cls(
            "upstream", "upstream_unavailable", text, code=UPSTREAM_UNAVAILABLE, status=503, reason=reason
        )

    @classmethod
    def timeout(cls, reason: str) -> "Refusal":
        """The server behind the gateway did not answer in time."""
        text = "The server behind this tool did not answer in time."
        return cls("upstream", "upstream_timeout", text, code=UPSTREAM_TIMEOUT, status=504, reason=reason)


class ConfigError(Exception):
    """A config or policy file that cannot be used, with every problem found in it.

    Each problem names file, line and column where they are known, and a remedy where there is one.
    """

    def __init__(self, problems: list["Problem"]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


class Problem:
    """One thing wrong in a file a person wrote."""

    def __init__(
        self, text: str, *, file: str = "", line: int = 0, column: int = 0, key: str = "", remedy: str = ""
    ) -> None:
        self.text = text
        self.file = file
        self.line = line
        self.column = column
        self.key = key
        self.remedy = remedy

    def __str__(self) -> str:
        place = ":".join(str(part) for part in (self.file, self.line, self.column) if part)
        parts = [place, self.key, self.text]
        return ": ".join(part for part in parts if part) + (f" {self.remedy}" if self.remedy else "")
