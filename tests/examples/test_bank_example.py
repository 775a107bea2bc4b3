"""The example's config and policies, as its README has people use them."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

DEADLINE = 30


@pytest.fixture
def example(bank_folder: Path, tmp_path: Path) -> Path:
    """A copy of the example with keys in it."""
    copy = tmp_path / "bank"
    shutil.copytree(bank_folder, copy, ignore=shutil.ignore_patterns("run", "__pycache__"))
    run(copy, sys.executable, "issuer.py", "key", "run")
    return copy


def run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=DEADLINE)
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def test_the_config_is_valid(example: Path) -> None:
    run(example, sys.executable, "-m", "toolgate", "run", "-c", "gateway.yaml", "--check")


def test_the_policies_pass_the_tests_beside_them(example: Path) -> None:
    run(example, sys.executable, "-m", "toolgate", "policy", "test", "policies")
