"""ME-02, ME-03, OB-07: sums from the records alone."""

import json

import pytest
from ledger_support import build
from typer.testing import CliRunner

from toolgate.cli import app
from toolgate.ledger.segments import segments
from toolgate.ledger.usage import Used, usage

CALL = {"kind": "tool", "tenant": "acme", "request_bytes": 100, "response_bytes": 300, "upstream_us": 2000}


@pytest.fixture
def folder(tmp_path):
    made = build(tmp_path / "ledger", 3, outcome="ok", **CALL)
    build(made, 1, start=4, outcome="tool_error", **CALL)
    build(made, 2, start=5, outcome="refused", kind="tool", tenant="other", target="transfer")
    build(made, 1, start=7, event="begin", **CALL)
    build(made, 1, start=7, event="end", outcome="cut", **CALL)
    return build(made, 1, start=8, event="gateway", method="stop")


def test_calls_are_added_up_by_what_one_asks(folder):
    assert usage(folder, ["tenant", "tool"]) == {
        ("acme", "bank/read_account"): Used(5, 2, 0, 500, 1500, 500, 10),
        ("other", "bank/transfer"): Used(2, 0, 2),
    }


def test_a_call_of_two_lines_is_one_and_an_act_of_the_gateway_none(folder):
    assert [sums.calls for sums in usage(folder, ["day"]).values()] == [7]


def test_only_the_period_counts(folder):
    found = usage(folder, ["agent"], "2026-11-25T10:00:02", "2026-11-25T10:00:04")
    assert found[("closing-agent",)].calls == 2


def test_a_damaged_line_is_no_shorter_bill(folder):
    path = segments(folder)[0].path
    path.write_bytes(path.read_bytes() + b"rubbish\n")
    with pytest.raises(ValueError, match="is no record"):
        usage(folder, ["tool"])


def run(folder, *options):
    return CliRunner().invoke(app, ["ledger", "usage", str(folder), *options])


def test_the_command_prints_a_table_or_json(folder):
    head, first, _ = run(folder, "--by", "tenant,tool").output.splitlines()
    assert head.split()[:4] == ["tenant", "tool", "calls", "errors"]
    assert first.split()[:4] == ["acme", "bank/read_account", "5", "2"]
    rows = json.loads(run(folder, "--by", "tenant", "--json").output)
    assert [(row["tenant"], row["refusals"]) for row in rows] == [("acme", 0), ("other", 2)]


def test_another_name_is_refused_with_the_known_ones(folder):
    done = run(folder, "--by", "color")
    assert done.exit_code == 2
    assert "there is no 'color' to add up by; known are day, tenant" in done.output
