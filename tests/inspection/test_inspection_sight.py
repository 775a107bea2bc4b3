"""`toolgate explain --tools`: what a caller sees of real servers, and what could not be had of others."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from gateway_support import free_port, serve_bank
from typer.testing import CliRunner

from toolgate import inspection
from toolgate.cli import app
from toolgate.policy.sight import Sight

CHILDREN = Path(__file__).parents[1] / "upstreams/children"

POLICY = """
version: 1
rules:
  - {id: reads, tools: ["bank/read_*", "desk/*"], effect: allow}
  - {id: small, tools: [bank/transfer_funds, gone/pay], when: args.amount < 100, effect: allow}
  - {id: titled, tools: ["bank/close_*"], when: 'tool.title == "Close"', effect: approve}
"""


@pytest.fixture(scope="module")
def bank() -> Iterator[str]:
    server = serve_bank()
    yield f"http://127.0.0.1:{server.server_address[1]}/mcp"
    server.shutdown()
    server.server_close()


@pytest.fixture
def config(tmp_path: Path, bank: str) -> Path:
    servers = {
        "bank": {"url": bank},
        "desk": {"command": sys.executable, "args": [str(CHILDREN / "official.py")]},
        "gone": {"url": f"http://127.0.0.1:{free_port()}/mcp"},
    }
    (tmp_path / "policy.yaml").write_text(POLICY)
    path = tmp_path / "gateway.yaml"
    configure(path, servers)
    return path


def configure(path: Path, servers: dict[str, object]) -> None:
    identity = {"anonymous": "loopback"}
    path.write_text(json.dumps({"servers": servers, "identity": identity, "policies": ["policy.yaml"]}))


def decisions(sight: Sight) -> dict[str, tuple[str, str | None]]:
    return {one.target: (one.decision.effect.value, one.decision.rule) for one in sight.tools}


def test_each_tool_of_both_kinds_of_server_has_its_decision(config: Path) -> None:
    seen = decisions(inspection.sight(config, {"roles": ["teller"]}))
    assert seen["bank/read_account"] == ("allow", "reads")
    assert seen["bank/transfer_funds"] == ("depends", None)
    assert seen["bank/slow"] == ("deny", None)
    assert [one for one in seen if one.startswith("desk/")]


def test_a_server_that_is_away_is_named_and_its_tools_known_from_rules_are_shown(config: Path) -> None:
    sight = inspection.sight(config, {})
    assert list(sight.missing) == ["gone"]
    assert decisions(sight)["gone/pay"] == ("depends", None)
    assert "gone: its tools could not be listed: " in "\n".join(sight.lines())


def test_a_server_that_never_answers_costs_a_bounded_wait(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inspection, "SURVEY_SECONDS", 0.5)
    servers = {"deaf": {"command": sys.executable, "args": [str(CHILDREN / "deaf.py")]}}
    configure(config, servers)
    assert inspection.sight(config, {}).missing == {"deaf": "no answer within 0.5 s"}


def test_the_command_says_by_which_rule_and_how_many(config: Path) -> None:
    (config.parent / "caller.json").write_text("{}")
    command = ["explain", "-c", str(config), "--as", str(config.parent / "caller.json"), "--tools"]
    ended = CliRunner().invoke(app, command)
    lines = {line.split()[0]: line for line in ended.output.splitlines()}
    assert ended.exit_code == 1, "one server could not be asked"
    assert lines["bank/read_account"].endswith("allow   by reads")
    assert lines["bank/transfer_funds"].endswith("depends small says allow if: args.amount < 100")
    assert lines["bank/slow"].endswith("deny    by no rule: the default holds")
    printed = json.loads(CliRunner().invoke(app, [*command, "--json"]).output)
    assert {"policy", "tools", "missing"} == set(printed)


def test_either_a_call_or_all_tools_is_asked_for(config: Path) -> None:
    (config.parent / "caller.json").write_text("{}")
    ended = CliRunner().invoke(
        app, ["explain", "-c", str(config), "--as", str(config.parent / "caller.json")]
    )
    assert (ended.exit_code, "--tools" in ended.output) == (2, True)


def test_what_limits_the_rules_is_explained_too(tmp_path: Path, bank: str) -> None:
    """The ceiling of an agent and the scopes that a server demands."""
    (tmp_path / "policy.yaml").write_text(POLICY)
    identity = {
        "anonymous": "loopback",
        "agents": {"desk-bot": {"tools": ["bank/transfer_*"]}, "bot": {}},
    }
    servers = {"bank": {"url": bank, "scopes": {"read_*": "bank:read"}}}
    path = tmp_path / "gateway.yaml"
    path.write_text(json.dumps({"servers": servers, "identity": identity, "policies": ["policy.yaml"]}))
    ceiling = ("deny", "identity.agents.desk-bot")
    assert decisions(inspection.sight(path, {"agent": "desk-bot"}))["bank/read_account"] == ceiling
    call = {"tool": "bank/read_account"}
    for caller, expected in (
        ({"agent": "desk-bot", "scopes": ["bank:read"]}, ceiling),
        ({"agent": "bot"}, ("deny", "servers.bank.scopes")),
        ({"agent": "bot", "scopes": ["bank:read"]}, ("allow", "reads")),
    ):
        one = inspection.explained(path, caller, call)
        assert (one.decision.effect.value, one.decision.rule) == expected
