"""The record as it stands in the ledger, with its number and the hash that checkpoints are signed over."""

from toolgate.ports import Recorded


def shape(recorded: Recorded) -> bytes:
    """See `ports.Shape`. Every record, also the gateway's own acts."""
    return b'{"seq":%d,"hash":"%b",%b' % (recorded.seq, recorded.hash.encode(), recorded.data[1:])
