"""A line of the ledger as its readers meet it. Checks nothing: the tree's reader does."""

from toolgate.ledger.chain import parse, record_of
from toolgate.ports import Recorded


def recorded(line: bytes) -> Recorded | None:
    """The record of a line; None where it has not the shape of one."""
    claim = parse(line)
    if claim is None:
        return None
    return Recorded(claim.head.seq, record_of(line), claim.head.hash, claim.after.hash)
