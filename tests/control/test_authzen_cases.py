"""The language-neutral cases of `tests/policies`, asked over the AuthZEN Authorization API.

Left out are those about lists, which are no question of the API. A caller without a name is somebody there, since a
subject always has an id.
"""

import asyncio
import json
from pathlib import Path as File
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from toolgate.control.authzen import EVALUATION, Asked, DecisionPoint
from toolgate.model import Principal
from toolgate.policy.compilation import compile_policies
from toolgate.policy.document import CallText, Case, Document, Source

FILES = sorted((File(__file__).parent.parent / "policies").glob("*.yaml"))
SOURCES = {
    file.stem: Source(
        Document.model_validate(yaml.safe_load(file.read_text())), lambda path: ("policy.yaml", 1, 1)
    )
    for file in FILES
}
CASES = [
    pytest.param(name, case, id=f"{name}: {case.name}")
    for name, written in SOURCES.items()
    for case in written.document.tests
    if case.expect in ("allow", "deny", "approve")
]
PEER = Principal("gateway", "api_key", roles=("gateway",))


class RecordedAtOnce:
    """Stands for a ledger that never fails."""

    def __init__(self) -> None:
        self.records: list[Any] = []

    def append(self, record: Any) -> Any:
        self.records.append(record)
        return asyncio.sleep(0)


def question(case: Case) -> dict[str, Any]:
    """The case as another gateway would ask it."""
    said = case.caller.model_dump(mode="json", exclude_none=True)
    type_, id_ = _resource(case.call)
    usual = {"tool": "tools/call", "resource": "resources/read", "prompt": "prompts/get"}.get(type_)
    subject = {
        "type": "identity" if case.caller.user or not case.caller.agent else "agent",
        "id": case.caller.user or case.caller.agent or "somebody",
        "properties": said,
    }
    return {
        "subject": subject,
        "action": {"name": case.call.method or usual, "properties": {"arguments": case.call.args}},
        "resource": {"type": type_, "id": id_},
    }


def _resource(call: CallText) -> tuple[str, str]:
    for type_ in ("tool", "resource", "prompt"):
        if (id_ := getattr(call, type_)) is not None:
            return type_, id_
    return "mcp_server", "any"


def test_enough_cases_can_be_asked() -> None:
    assert len(CASES) >= 80


@pytest.mark.parametrize(("name", "case"), CASES)
async def test_the_case_holds(name: str, case: Case) -> None:
    moment = case.at.timestamp() if case.at else 0.0
    policy = compile_policies([SOURCES[name]], environment={"stage": "staging"}, clock=lambda: moment)

    async def identify(call: Any) -> Principal:
        return PEER

    ledger = RecordedAtOnce()
    world: Any = SimpleNamespace(identify=identify, policy=policy, version="v")
    book: Any = SimpleNamespace(ledger=ledger, describe=lambda record, arguments: None, disguise=None)
    point = DecisionPoint("http://here", "gateway", lambda: world, book)
    body = json.dumps(question(case)).encode()
    asked = Asked("POST", EVALUATION, [(b"content-type", b"application/json")], body, "127.0.0.1")
    status, _, text = await point.answer(asked)
    answer = json.loads(text)
    assert (status, answer["decision"]) == (200, case.expect == "allow"), answer
    if case.expect == "approve":
        assert answer["context"]["effect"] == "approve"
    # What aims at nothing is open to whoever is let in, and no decision of a rule.
    rules = case.call.method is None or _resource(case.call)[0] != "mcp_server"
    assert [record.decision for record in ledger.records] == [case.expect] * rules
