"""Which rules the cases of a policy try, and which way their conditions went. Judges no case."""

from collections.abc import Sequence

from msgspec import Struct

from toolgate.policy.cases import asked
from toolgate.policy.decisions import Policy
from toolgate.policy.document import Source
from toolgate.policy.explain import explain


class Coverage(Struct, frozen=True):
    """What all cases together reach."""

    rules: int
    undecided: tuple[str, ...]
    """Rules that decide no case."""
    branches: int
    """Two for each condition."""
    never_true: tuple[str, ...]
    never_false: tuple[str, ...]

    def lines(self) -> list[str]:
        """For people."""
        seen = self.branches - len(self.never_true) - len(self.never_false)
        lines = [
            f"coverage: {self.rules - len(self.undecided)} of {self.rules} rules decide a case, "
            f"{seen} of {self.branches} branches of conditions are taken"
        ]
        for words, rules in (
            ("decide no case", self.undecided),
            ("whose condition is never true", self.never_true),
            ("whose condition is never false", self.never_false),
        ):
            lines += [f"  rules that {words}: {', '.join(rules)}"] if rules else []
        return [line.replace("rules that whose", "rules whose") for line in lines]


def cover(policy: Policy, sources: Sequence[Source]) -> Coverage:
    """What the cases of `sources` reach in `policy`."""
    decided: set[str] = set()
    true: set[str] = set()
    false: set[str] = set()
    for case in (case for source in sources for case in source.document.tests):
        question = asked(case)
        if question is None:
            continue
        explanation = explain(policy, *question)
        decided.add(explanation.decision.rule or "")
        for look in explanation.looks:
            if look.condition is not None and look.matched is not None:
                (true if look.matched else false).add(look.rule)
    conditional = [rule.id for rule in policy.rules if rule.condition is not None]
    return Coverage(
        rules=len(policy.rules),
        undecided=tuple(rule.id for rule in policy.rules if rule.id not in decided),
        branches=2 * len(conditional),
        never_true=tuple(name for name in conditional if name not in true),
        never_false=tuple(name for name in conditional if name not in false),
    )
