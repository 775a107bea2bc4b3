"""A condition at its three moments: with caller and target, in a list, in a call. Knows no rules.

A variable not yet known is left out. CEL answers `false && unknown` with false and fails where the unknown
matters, so an answer got early is the answer of every later moment too.
"""

from collections.abc import Mapping
from typing import Any

from toolgate.policy.cel import Failed, Program, Verdict
from toolgate.policy.facts import Getter, Situation, getter_of
from toolgate.policy.vocabulary import Reads, Stage, stage_of

Bindings = tuple[tuple[str, Getter], ...]


class Condition:
    """A compiled condition and what it reads."""

    __slots__ = (
        "_bound",
        "_by_server",
        "_program",
        "needs_dialect",
        "paths",
        "reads",
        "reads_catalog",
        "reads_sql",
        "stage",
        "text",
    )

    def __init__(
        self, text: str, program: Program, reads: Reads, by_server: Mapping[str, Program] | None = None
    ) -> None:
        """`by_server` holds the programs of servers for which the same text reads values in another way."""
        self.text = text
        self.reads = reads
        self.paths = program.paths
        """Every name it reads, with the constant keys after it."""
        stages = {name: stage_of(name, keys) for name, keys in reads.items()}
        self.stage = max(stages.values(), default=Stage.SETTLED)
        """When it can be answered for certain."""
        self.reads_catalog = any(stage_of(name, keys) is Stage.CATALOG for name, keys in reads.items())
        """Whether it needs what servers say of their tools."""
        self._program = program
        self._by_server = by_server or {}
        self.needs_dialect = any(call.name == "sql" and len(call.constants) == 1 for call in program.calls)
        """Whether it reads SQL in the dialect of the server."""
        self.reads_sql = any(call.name == "sql" for call in program.calls)
        self._bound = {
            moment: tuple(
                (name, getter_of(name, reads[name])) for name in sorted(reads) if stages[name] <= moment
            )
            for moment in Stage
        }

    def knows_dialect(self, server: str) -> bool:
        """Whether SQL of this server can be read."""
        return not self.needs_dialect or server in self._by_server

    def judge(self, situation: Situation) -> Verdict:
        """The answer for a call. A value that is not known makes it a failure."""
        return self._evaluate(self._bound[Stage.CALL], situation)

    def settle(self, situation: Situation) -> Verdict | None:
        """The answer where caller and target alone decide it, None where more must be known."""
        return self._early(Stage.SETTLED, situation)

    def foresee(self, situation: Situation) -> Verdict | None:
        """The answer where what lists know decides it, None where the call will."""
        return self._early(Stage.CATALOG, situation)

    def number(self, situation: Situation) -> int | float | Failed:
        """The answer for a call of an expression that gives a number."""
        return self._program.number(self._data(self._bound[Stage.CALL], situation))

    def values(self, situation: Situation) -> dict[str, Any]:
        """What it reads, by name, for explanations; unknown values are missing."""
        found: dict[str, Any] = {}
        for name, get in self._bound[Stage.CALL]:
            value = get(situation)
            keys = self.reads[name]
            if keys is not None and isinstance(value, dict):
                found |= {f"{name}.{key}": value[key] for key in sorted(keys) if key in value}
            elif value is not None:
                found[name] = value
        return found

    def _early(self, moment: Stage, situation: Situation) -> Verdict | None:
        bound = self._bound[moment]
        if self.stage <= moment:
            return self._evaluate(bound, situation)
        if not bound:
            return None
        verdict = self._evaluate(bound, situation)
        # The failure may come from what is not known yet.
        return None if isinstance(verdict, Failed) else verdict

    def _evaluate(self, bound: Bindings, situation: Situation) -> Verdict:
        data = self._data(bound, situation)
        program = (
            self._by_server.get(situation.target.server, self._program) if self._by_server else self._program
        )
        return program.evaluate(data)

    def _data(self, bound: Bindings, situation: Situation) -> dict[str, Any]:
        data = {}
        for name, get in bound:
            value = get(situation)
            if value is not None:
                data[name] = value
        return data
