"""What a check of a ledger found. Data only."""

from msgspec import Struct

from toolgate.ledger.chain import ORIGIN, Head

MAX_FINDINGS = 100
"""Findings that are described; the others are counted."""


class Finding(Struct, frozen=True):
    """One thing that is not as a gateway left it."""

    kind: str
    """`line`, `segment`, `torn_tail`, `torn_file`, `stranger`, `head`, `checkpoint` or `tile`."""
    file: str
    line: int
    """From 1; 0 where the file as a whole is meant."""
    what: str
    """A plain sentence."""


class Report(Struct):
    """What is in a ledger, and whether it is whole."""

    ok: bool = True
    """Whether nothing was found."""
    records: int = 0
    """Lines that are intact and in their place."""
    segments: int = 0
    first_ts: str | None = None
    last_ts: str | None = None
    head: Head = ORIGIN
    """The last line. Note it outside of the ledger: compared later, it shows whether the end was cut."""
    archived: int = 0
    """Records that are in no segment here: the tree alone tells of them."""
    unfinished: int = 0
    """Calls with a `begin` and no `end`: cut by a crash, or under way in a running gateway."""
    checkpoint: int | None = None
    """Records that the checkpoint covers; None where there is no tree, or its signature cannot be believed."""
    key: str | None = None
    """The public key that signature was checked with."""
    key_given: bool = False
    """Whether the key came from outside of the ledger. A key that lies beside it proves nothing of forgers."""
    being_written: bool = False
    """The last line was read half-way because a gateway is writing it. No finding."""
    findings: list[Finding] = []
    more: int = 0
    """Findings beyond the first `MAX_FINDINGS`."""

    def find(self, kind: str, what: str, file: str = "", line: int = 0) -> None:
        """Add a finding."""
        self.ok = False
        if len(self.findings) < MAX_FINDINGS:
            self.findings.append(Finding(kind, file, line, what))
        else:
            self.more += 1
