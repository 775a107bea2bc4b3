"""What changed between two runs, and which changes `differences.yaml` explains. No I/O but reading that file."""

from fnmatch import fnmatchcase
from pathlib import Path

import yaml
from msgspec import Struct, convert

from conformance.suite import RANK, Checks

ABSENT = "absent"


class Known(Struct, frozen=True, forbid_unknown_fields=True):
    """A difference with its reason."""

    cells: str
    """A glob over `server@wire`."""
    checks: str
    """A glob over `scenario:check`."""
    reason: str


class Lost(Struct, frozen=True):
    """A check that is worse through the gateway."""

    cell: str
    check: str
    direct: str
    through: str
    known: Known | None

    @property
    def reason(self) -> str:
        """Why it may be lost; empty where it may not."""
        return "" if self.known is None else self.known.reason


def read(file: Path) -> list[Known]:
    """The explained differences."""
    return convert(yaml.safe_load(file.read_text()) or [], list[Known])


def lost(cell: str, direct: Checks, through: Checks, known: list[Known]) -> list[Lost]:
    """The checks that got worse or vanished, in order."""
    found = []
    for check in sorted(direct.keys() | through.keys()):
        before, after = direct.get(check, ABSENT), through.get(check, ABSENT)
        if _worse(before, after):
            found.append(Lost(cell, check, before, after, _explained(cell, check, known)))
    return found


def _worse(before: str, after: str) -> bool:
    if after == ABSENT:
        # A check that was skipped direct and is not even reached has lost nothing.
        return RANK.get(before, 0) == RANK["SUCCESS"]
    if before == ABSENT:
        return RANK[after] > RANK["SKIPPED"]
    return RANK[after] > RANK[before]


def _explained(cell: str, check: str, known: list[Known]) -> Known | None:
    for one in known:
        if fnmatchcase(cell, one.cells) and fnmatchcase(check, one.checks):
            return one
    return None


def stale(known: list[Known], found: list[Lost], cells: list[str]) -> list[Known]:
    """Explanations of nothing in the cells that ran: they would hide the next loss."""
    used = {id(one.known) for one in found}
    return [
        one for one in known if id(one) not in used and any(fnmatchcase(cell, one.cells) for cell in cells)
    ]
