"""What a decision costs: in process and by CPU time, beside the whole governed call; and lists under many rules."""

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import yaml

from bench import comparison, policies, targets
from bench.comparison import Effort, Row
from bench.targets import Target as Measured
from toolgate.model import Call, Kind, Principal, Target, Task
from toolgate.policy.compilation import compile_policies
from toolgate.policy.decisions import Policy
from toolgate.policy.document import Document, Source
from toolgate.protocol import merge
from toolgate.protocol.methods import METHODS

FEW, MANY = 100, 10_000
TOOLS = 1_000
_CALLS, _LISTS = 20_000, 20

_PAYER = Principal("dana", "jwt", agent="bot", user="dana", roles=("payer",), task=Task("close"))


def decide(folder: Path, effort: Effort, rounds: int, tell: Callable[[str], None]) -> dict[str, Any]:
    """CPU in µs of a decision with 100 and 10,000 rules, of the governed call it is part of, and of lists."""
    found: dict[str, Any] = {}
    for count in (FEW, MANY):
        tell(f"decisions with {count} rules")
        policy = _policy(policies.rules(count))
        found[f"decision_us_{count}_rules"] = _median(rounds, partial(_decisions, policy))
    tell(f"a list of {TOOLS} tools")
    raw = _list_of_tools()
    found["list_us_unfiltered"] = _median(rounds, partial(_lists, raw, None))
    found[f"list_us_{MANY}_rules"] = _median(rounds, partial(_lists, raw, _policy(_rules_for_lists())))
    target = Measured("governed", partial(targets.governed, rules=FEW))
    row: Row = comparison.compare(folder, [target], effort, tell)[1]
    found["governed_call"] = row.as_json()
    return found


def _policy(text: str) -> Policy:
    document = Document.model_validate(yaml.load(text, yaml.CSafeLoader))
    return compile_policies([Source(document, lambda path: ("bench.yaml", 1, 1))])


def _rules_for_lists() -> str:
    """The payer may use every other tool; of the rest of the rules, few are about the payer."""
    own = [
        f'  - {{id: own-{number}, subjects: {{roles: [payer]}}, tools: ["bank/tool_{number:04}"], effect: allow}}'
        for number in range(0, TOOLS, 2)
    ]
    return policies.rules(MANY - len(own)) + "\n".join(own) + "\n"


def _decisions(policy: Policy) -> float:
    target = Target(Kind.TOOL, "bank", "transfer_funds")
    params = {"name": target.name, "arguments": {"amount": 500, "to": "acct-2"}}
    calls = [Call("2026-07-28", "bank", "tools/call", b"", params) for _ in range(_CALLS)]

    async def run() -> None:
        for call in calls:
            await policy.decide(_PAYER, target, call)

    return _cpu(run) / _CALLS


def _list_of_tools() -> msgspec.Raw:
    tools = [
        {
            "name": f"tool_{number:04}",
            "description": "Reads something of the bank, and says what it found.",
            "inputSchema": {"type": "object", "properties": {"id": {"type": "string"}}, "required": ["id"]},
        }
        for number in range(TOOLS)
    ]
    return msgspec.Raw(msgspec.json.encode({"tools": tools}))


def _lists(raw: msgspec.Raw, policy: Policy | None) -> float:
    """The way of a list behind the shared door, from the server's answer to ours."""
    method = METHODS["tools/list"]

    async def run() -> None:
        for _ in range(_LISTS):
            items = []
            for entry in merge.page(raw, method).entries:
                if policy is not None:
                    await policy.decide(_PAYER, Target(Kind.TOOL, "bank", entry.name))
                # All are kept in both cases: otherwise the filtered list would save what filtering costs.
                items.append(merge.behind_shared_door(entry, method, "bank", "__"))
            merge.listing(items, method, rest={}, missing={}, modern=True)

    return _cpu(run) / _LISTS


def _cpu(run: Callable[[], Awaitable[None]]) -> float:
    """µs of CPU, warm."""

    async def warm() -> float:
        await run()
        before = time.process_time()
        await run()
        return (time.process_time() - before) * 1e6

    return asyncio.run(warm())


def _median(rounds: int, measured: Callable[[], float]) -> float:
    return round(statistics.median(measured() for _ in range(rounds)), 2)
