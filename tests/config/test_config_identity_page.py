"""Every block of docs/identity.md is a config that loads, and every command it shows exists."""

import re
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from toolgate.cli import app
from toolgate.config.load import load

PAGE = (Path(__file__).parents[2] / "docs/identity.md").read_text()
BLOCKS = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
REST = {"servers": {"x": {"url": "https://x.example/mcp"}}, "identity": {"anonymous": "loopback"}}


@pytest.mark.parametrize("block", BLOCKS)
def test_a_block_of_the_page_loads(write, monkeypatch, block):
    for name in ("IDP_SECRET", "BANK_TOKEN"):
        monkeypatch.setenv(name, "text")
    written = {**REST, **yaml.safe_load(block)}
    assert load(write(yaml.safe_dump(written))).value.servers


def test_the_commands_of_the_page_do_what_it_says(write, monkeypatch):
    write("", "here")
    commands = re.findall(r"^toolgate (.*)$", PAGE, re.MULTILINE)
    assert len(commands) == 4
    for command in commands:
        done = CliRunner().invoke(app, command.split())
        assert done.exit_code == 0, done.output
