"""The MCP revisions and the two kinds they fall into. Every question of order is answered here."""

MODERN = "2026-07-28"
"""Stateless: every request describes itself."""

LEGACY = ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25")
"""Sessions opened by `initialize`. Enumerated, oldest first: never compared as text."""

LATEST_LEGACY = LEGACY[-1]
UNSTATED = "2025-03-26"
"""What an absent version header means (2025-06-18, basic/transports)."""

SUPPORTED = (MODERN,)
"""What a modern client is offered when it asks for something else."""

AUDIO = LEGACY[1:]
RESOURCE_LINKS = ELICITATION = LEGACY[2:]
"""Revisions with sessions that have the feature."""

BATCHES = "2025-03-26"
"""The one revision whose clients may send arrays."""


def is_modern(revision: str) -> bool:
    """True for revisions without sessions."""
    return revision == MODERN


def negotiate(requested: object) -> str:
    """The revision `initialize` is answered with: the requested one, or the latest with sessions.

    Asking for a modern or unknown revision gets the latest legacy one, as every SDK does (E88).
    """
    return requested if isinstance(requested, str) and requested in LEGACY else LATEST_LEGACY


def lower(one: str, other: str) -> str:
    """The older of two legacy revisions."""
    return min(one, other, key=LEGACY.index)
