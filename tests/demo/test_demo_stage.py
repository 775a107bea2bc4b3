"""The stage: what is written for a run, and that it goes away again."""

import tempfile
from pathlib import Path

import pytest
import yaml

from toolgate.demo.stage import built, find_examples, free_ports


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_the_ports_are_different_and_below_those_the_kernel_hands_out() -> None:
    ports = free_ports(3)
    assert len(set(ports)) == 3
    assert max(ports) < 32768


def test_the_folder_is_removed_also_when_the_story_fails(temporary: Path) -> None:
    with pytest.raises(ZeroDivisionError), built(keep=False):
        raise ZeroDivisionError
    assert list(temporary.iterdir()) == []


def test_the_folder_stays_where_that_is_asked_for(temporary: Path) -> None:
    with built(keep=True) as stage:
        pass
    assert (stage.folder / "policies" / "bank.yaml").read_text() == (
        find_examples() / "policies" / "bank.yaml"
    ).read_text()


def test_the_run_has_the_config_of_the_example_but_for_ports_and_commands() -> None:
    example = yaml.safe_load((find_examples() / "gateway.yaml").read_text())
    with built(keep=False) as stage:
        run = yaml.safe_load(stage.config.read_text())
    assert run.keys() == example.keys()
    assert {key for key in example if run[key] != example[key]} == {
        "listen",
        "admin",
        "public_url",
        "servers",
    }
    assert run["servers"].keys() == example["servers"].keys()
