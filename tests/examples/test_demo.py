"""The whole story, told once by the command people type."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

DEADLINE = 120


def demo(folder: Path, *flags: str) -> subprocess.CompletedProcess[str]:
    """`toolgate demo`, with `folder` as the place for temporary files."""
    return subprocess.run(
        [sys.executable, "-m", "toolgate", "demo", *flags],
        env=os.environ | {"TMPDIR": str(folder), "COLUMNS": "80"},
        capture_output=True,
        text=True,
        timeout=DEADLINE,
    )


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """What it printed, and the folder it worked in."""
    folder = tmp_path_factory.mktemp("demo")
    run = demo(folder)
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout, folder


@pytest.mark.parametrize(
    "fact",
    [
        "The bank server has 6:",
        "The CRM server has 4:",
        "sees 3: bank__list_transfers, bank__read_account, bank__transfer_funds.",
        "Operating account Hamburg holds",
        "Transfers over 10,000 are made by a person, not by an agent.",
        "'ops-1001', 'sup-4001', 125000, 'NW-21190'",
        "It sees 2 other tools: crm__find_customer, crm__read_customer.",
        "Ravel & Fils",
        "Operating account Lyon holds",
        "One byte",
    ],
)
def test_the_demo_says_and_has_checked(told: tuple[str, Path], fact: str) -> None:
    assert fact in told[0]


def test_into_a_pipe_it_writes_no_colour(told: tuple[str, Path]) -> None:
    assert "\x1b" not in told[0]


def test_it_leaves_nothing_behind(told: tuple[str, Path]) -> None:
    assert list(told[1].glob("toolgate-demo-*")) == []


def test_it_leaves_no_process_behind(told: tuple[str, Path]) -> None:
    """Every child names a file in the run's folder on its command line."""
    commands = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists()]
    assert [command for command in commands if str(told[1]).encode() in command] == []
