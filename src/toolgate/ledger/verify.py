"""Checks a ledger with nothing but its files: every line, their order, and what was set aside. Changes none.

A change, removal, addition, doubling or move of anything inside the ledger is found. A cut at its end is
found as far as the last checkpoint reaches. Who can write all files and has the signing key can make a new
ledger from the start, or put an older copy back: only what was noted elsewhere tells it from the true one,
the public key and a checkpoint, or a head.

The ledger may be a copy, or that of a running gateway.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Raw, Struct

from toolgate.ledger.acts import START, TORN, Started
from toolgate.ledger.archive import ARCHIVED, Archived
from toolgate.ledger.chain import MAX_LINE, ORIGIN, Broken, Head, check, parse, record_of
from toolgate.ledger.folder import claimed
from toolgate.ledger.inbox import waiting
from toolgate.ledger.note import Checkpoint, VerifierKey
from toolgate.ledger.recover import Torn, read_torn
from toolgate.ledger.report import Report
from toolgate.ledger.segments import TREE, Segment, forward, segment_name, segments, strangers, torn_files
from toolgate.ledger.tree import Damaged
from toolgate.ledger.verify_tree import TreeCheck

_STEP = 1000


def verify(
    path: Path,
    head: Head | None = None,
    *,
    key: VerifierKey | None = None,
    checkpoints: Sequence[Checkpoint] = (),
    archives: Sequence[Path] = (),
    progress: Callable[[int], None] | None = None,
) -> Report:
    """Check the ledger in the folder `path`, and that it still holds `head` and what `checkpoints` cover.

    Segments that were moved to the folders `archives` are read there; of what was archived elsewhere the tree
    tells the hashes, and a record must tell that it was. With `key`, the ledger must have a checkpoint that
    this key signed. `progress` is told how many records are done, every thousand. Raises `OSError` where the
    ledger cannot be read.
    """
    return _Check(path, head, key, checkpoints, archives, progress).run()


class _Brief(Struct):
    """What of a record the check looks at."""

    id: str
    ts: str
    event: str = "call"
    method: str = ""
    arguments: Raw = Raw(b"null")


class _Check:
    """One pass over a ledger. Holds one line at a time, and the ids of unfinished calls."""

    def __init__(
        self,
        folder: Path,
        noted: Head | None,
        key: VerifierKey | None,
        checkpoints: Sequence[Checkpoint],
        archives: Sequence[Path],
        progress: Callable[[int], None] | None,
    ) -> None:
        self._folder = folder
        self._noted = noted
        self._progress = progress
        self._archives = archives
        self._archived = 0
        """Records that are in no segment here or in `archives`."""
        self._told_archived: list[Archived] = []
        self._report = Report()
        self._tree = TreeCheck(folder, self._report, key, checkpoints)
        self._head: Head | None = ORIGIN
        self._unfinished: set[str] = set()
        self._torn: dict[str, Torn] = {}
        self._decode = msgspec.json.Decoder(_Brief).decode

    def run(self) -> Report:
        known = [one for folder in (*self._archives, self._folder) for one in segments(folder)]
        known.sort(key=lambda one: one.first)
        if not known:
            self._report.find("segment", "There is no segment of a ledger in this folder.")
        elif known[0].first > 1:
            self._believe_tree(known[0].first - 1)
        for segment in known:
            self._check_segment(segment, last=segment is known[-1])
        self._check_torn_files()
        self._check_archived()
        self._tree.finish(self._head.seq if self._head else self._report.head.seq)
        for name in strangers(self._folder):
            self._report.find("stranger", "This is no part of a ledger: renamed, or put here.", name)
        if self._noted and self._noted.seq:
            self._report.find("head", f"Record {self._noted.seq}, which was noted, is not in the ledger.")
        self._report.segments = len(known)
        self._report.unfinished = len(self._unfinished)
        return self._report

    def _believe_tree(self, count: int) -> None:
        """Of records that are archived elsewhere the tree has the hashes, and a checkpoint has signed them."""
        name = segment_name(1)
        try:
            for head in self._tree.heads(count):
                self._tree.add(head)
                self._compare_noted(head, name, head.seq)
                self._head = head
        except Damaged as problem:
            self._report.find(
                "tile", f"Of the records before {count + 1} nothing can be told: {problem}", TREE
            )
            return
        self._archived = self._report.archived = count

    def _check_archived(self) -> None:
        if not self._archived:
            return
        told: list[Any] = [one.last for one in self._told_archived]
        told += [note.arguments.get("last") for _, note in waiting(self._folder) if note.method == ARCHIVED]
        if not any(isinstance(last, int) and last >= self._archived for last in told):
            what = f"Records 1 to {self._archived} are not here, and no record tells that they were archived."
            self._report.find("segment", what)

    def _check_segment(self, segment: Segment, *, last: bool) -> None:
        name = segment.path.name
        if self._head and segment.first != self._head.seq + 1:
            due = segment_name(self._head.seq + 1)
            self._report.find("segment", f"{due} is due here: it is missing, or was renamed to this.", name)
        for number, line in enumerate(forward(segment.path), 1):
            if line.endswith(b"\n") or len(line) == MAX_LINE:
                self._check_line(name, number, line)
            elif last and claimed(self._folder):
                self._report.being_written = True
            else:
                what = "The last line is torn: a crash cut its write off, or its end was removed."
                self._report.find("torn_tail", what, name, number)

    def _check_line(self, name: str, number: int, line: bytes) -> None:
        try:
            self._head = check(self._head or _claimed_before(line), line)
        except Broken as problem:
            self._report.find("line", str(problem), name, number)
            # Go on from what the line claims, so that one damaged line is one finding. Where it claims
            # nothing, the next line is believed in what it follows.
            claim = parse(line)
            self._head = claim.head if claim else None
        else:
            self._read_record(name, number, line)
        if self._head:
            self._tree.add(self._head)
            self._report.head = self._head
            self._compare_noted(self._head, name, number)

    def _compare_noted(self, head: Head, name: str, number: int) -> None:
        if self._noted is None or head.seq != self._noted.seq:
            return
        if head != self._noted:
            self._report.find("head", f"Record {head.seq} is another than the one noted.", name, number)
        self._noted = None

    def _read_record(self, name: str, number: int, line: bytes) -> None:
        report = self._report
        try:
            record = self._decode(record_of(line))
            if record.method == TORN and record.event == "gateway":
                torn = msgspec.json.decode(record.arguments, type=Torn)
                self._torn[torn.name] = torn
            elif record.method == ARCHIVED and record.event == "gateway":
                self._told_archived.append(msgspec.json.decode(record.arguments, type=Archived))
            elif record.method == START and record.event == "gateway":
                self._tree.key_told(msgspec.json.decode(record.arguments, type=Started | None))
        except (msgspec.MsgspecError, ValueError, RecursionError) as problem:
            report.find("line", f"What this line holds is no record: {problem}.", name, number)
            return
        if record.event == "begin":
            self._unfinished.add(record.id)
        elif record.event == "end":
            self._unfinished.discard(record.id)
        report.first_ts = report.first_ts or record.ts
        report.last_ts = record.ts
        report.records += 1
        if self._progress and report.records % _STEP == 0:
            self._progress(report.records)

    def _check_torn_files(self) -> None:
        for file in torn_files(self._folder):
            if file.first <= self._archived:
                continue  # The record that tells of it is archived, too.
            told = self._torn.pop(file.path.name, None)
            if told is None:
                self._report.find("torn_file", "No record tells of this torn line.", file.path.name)
            elif told != read_torn(file.path):
                self._report.find(
                    "torn_file", "This torn line was changed after it was kept.", file.path.name
                )
        for name in self._torn:
            self._report.find("torn_file", "A record tells of this torn line, but it is not here.", name)


def _claimed_before(line: bytes) -> Head:
    claim = parse(line)
    return claim.after if claim else ORIGIN
