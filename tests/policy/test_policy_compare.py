"""Coverage of cases, two policies compared, recorded calls decided anew, rules proposed from them."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from policy_support import policy, source
from typer.testing import CliRunner

from toolgate.cli import app
from toolgate.ledger.marks import timestamp
from toolgate.ledger.writer import Writer
from toolgate.model import Record
from toolgate.policy.compilation import compile_policies, written_rules
from toolgate.policy.coverage import cover
from toolgate.policy.diff import diff
from toolgate.policy.replay import replay
from toolgate.policy.suggest import suggest

OLD = """version: 1
rules:
  - {id: read, subjects: {roles: [staff]}, tools: ["bank/read_*"], effect: allow}
  - {id: pay, subjects: {agents: [bot]}, tools: ["bank/pay"], when: args.amount <= 100, effect: allow}
  - {id: never, tools: ["bank/close"], effect: deny}
tests:
  - {name: a, as: {roles: [staff]}, call: {tool: bank/read_x}, expect: allow}
  - {name: b, as: {agent: bot}, call: {tool: bank/pay, args: {amount: 7}}, expect: allow}
  - {name: c, as: {agent: bot}, call: {method: tools/list}, expect: allow}
"""
NEW = OLD.replace("[staff]", "[boss]", 1).replace("id: never", "id: ever").replace("<= 100", "<= 50")


def record(**fields: Any) -> dict[str, Any]:
    given = {
        "id": "r1",
        "ts": timestamp(1_795_262_400.0),
        "method": "tools/call",
        "kind": "tool",
        "server": "bank",
        "target": "read_x",
        "decision": "allow",
        "outcome": "ok",
        "agent": "bot",
    }
    return {**given, **fields}


def test_coverage_names_the_rules_and_branches_that_no_case_tries() -> None:
    found = cover(policy(OLD.removeprefix("version: 1\n")), [source(OLD)])
    assert found.undecided == ("never",)
    assert (found.branches, found.never_true, found.never_false) == (2, (), ("pay",))
    assert found.lines()[0] == "coverage: 2 of 3 rules decide a case, 1 of 2 branches of conditions are taken"


def test_two_policies_differ_by_rules_and_by_what_they_decide() -> None:
    old, new = [source(OLD)], [source(NEW)]
    found = diff(compile_policies(old), compile_policies(new), written_rules(old), written_rules(new))
    assert (found.added, found.removed, found.changed) == (("ever",), ("never",), ("pay", "read"))
    assert {(one.caller, one.target, one.before, one.after) for one in found.differences} == {
        ("roles: staff", "bank/read_any", "allow", "deny"),
        ("roles: boss", "bank/read_any", "deny", "allow"),
    }


def test_a_policy_differs_from_itself_in_nothing() -> None:
    same = [source(OLD)]
    found = diff(compile_policies(same), compile_policies(same), written_rules(same), written_rules(same))
    assert (found.added, found.removed, found.changed, found.differences) == ((), (), (), ())


def test_recorded_calls_are_decided_anew_and_what_cannot_be_known_is_not_guessed() -> None:
    """E7"""
    judge = compile_policies([source(NEW)])
    pay = {"target": "pay"}
    found = replay(
        judge,
        [
            record(roles=["boss"]),
            record(id="r2", roles=["staff"]),
            record(**pay, arguments={"amount": 80}),
            record(**pay, arguments={"amount": 8}),
            record(**pay, arguments_digest="hmac-sha256:0"),
            record(event="begin"),
            record(kind=None, server=None, target=None, decision=None),
        ],
    )
    assert (found.calls, found.same, found.unknown) == (5, 2, 1)
    assert [(one.was, one.now, one.count) for one in found.changed] == [("allow", "deny", 2)]
    assert found.changed[0].examples[0] == "r2 bot bank/read_x"


def test_the_smallest_rules_that_cover_what_was_done_are_proposed_with_counts() -> None:
    calls = [
        record(),
        record(),
        record(target="pay", task="close"),
        record(agent=None, user="ada", target="read_y", outcome="tool_error"),
        record(target="denied", decision="deny", outcome="refused"),
        record(target="failed", outcome="refused"),
        record(target="twice", event="begin"),
        record(agent=None),
        record(target="odd*"),
        record(kind="resource", target="file:///a b: c"),
    ]
    found = suggest(calls)
    assert (found.calls, found.nameless, found.unwritable) == (5, 1, 1)
    rules = yaml.safe_load(found.text())["rules"]
    assert rules == [
        {
            "id": "suggested-1",
            "subjects": {"agents": ["bot"]},
            "tools": ["bank/read_x"],
            "resources": ["bank/file:///a b: c"],
            "effect": "allow",
        },
        {
            "id": "suggested-2",
            "subjects": {"agents": ["bot"]},
            "tasks": ["close"],
            "tools": ["bank/pay"],
            "effect": "allow",
        },
        {"id": "suggested-3", "subjects": {"users": ["ada"]}, "tools": ["bank/read_y"], "effect": "allow"},
    ]
    assert "# 2 x bank/read_x" in found.text()


def test_what_is_proposed_allows_what_was_done_and_nothing_else() -> None:
    calls = [record(), record(target="pay", task="close")]
    judge = compile_policies([source(suggest(calls).text())])
    assert replay(judge, calls).changed == ()
    assert replay(judge, [record(target="close"), record(target="pay")]).changed[0].count == 2


def test_of_no_calls_nothing_is_proposed() -> None:
    assert yaml.safe_load(suggest([]).text()) == {"version": 1, "default": "deny", "rules": []}


@pytest.fixture
async def files(tmp_path: Path) -> Path:
    (tmp_path / "old.yaml").write_text(OLD)
    (tmp_path / "new.yaml").write_text(NEW)
    writer = Writer(tmp_path / "ledger")
    writer.start()
    await writer.append(Record(**record(roles=("staff",))))
    await writer.aclose()
    return tmp_path


def run(*words: object) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["policy", *map(str, words)])
    return result.exit_code, result.output


async def test_the_commands_say_the_same(files: Path) -> None:
    code, text = run("test", "--coverage", files / "old.yaml")
    assert (code, "rules that decide no case: never" in text) == (0, True)
    code, text = run("diff", files / "old.yaml", files / "new.yaml")
    assert (code, "allow -> deny  bank/read_any  for roles: staff" in text) == (0, True)
    code, text = run("replay", "--ledger", files / "ledger", "--policies", files / "new.yaml")
    assert (code, "1 x allow -> deny by the default" in text) == (0, True)
    code, text = run("suggest", "--ledger", files / "ledger")
    assert (code, yaml.safe_load(text)["rules"][0]["tools"]) == (0, ["bank/read_x"])
    code, text = run("replay", "--ledger", files / "ledger", "--policies", files / "new.yaml", "--json")
    assert json.loads(text)["changed"][0]["now"] == "deny"


def test_a_folder_that_is_none_is_bad_input(tmp_path: Path) -> None:
    code, text = run("suggest", "--ledger", tmp_path / "nothing")
    assert (code, "is not a folder" in text) == (2, True)


def test_rules_about_lists_hide_no_difference_and_decide_no_recorded_call() -> None:
    """What lists show is not what calls may do, also where nothing is known of the call."""
    lists = "lists:\n  - {id: all, effect: show, tools: ['*']}\n"
    old, new = [source(OLD + lists)], [source(NEW + lists)]
    found = diff(compile_policies(old), compile_policies(new), written_rules(old), written_rules(new))
    assert {one.target for one in found.differences} == {"bank/read_any"}
    closed = compile_policies([source("version: 1\n" + lists)])
    unknown_arguments = record(arguments_digest="hmac-sha256:00")
    assert [one.now for one in replay(closed, [unknown_arguments]).changed] == ["deny"]
