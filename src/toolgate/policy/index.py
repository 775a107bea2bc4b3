"""Which rules can concern a caller and a target, without asking all of them. Decides nothing."""

from collections.abc import Iterable, Iterator

from toolgate.model import Kind, Target
from toolgate.policy.patterns import Names, split_pattern
from toolgate.policy.rules import Held, Rule

Shelf = dict[tuple[str, str] | None, list[Rule]]
"""Rules of one pattern by one value they ask for; None: by those that ask for nothing."""


class Index:
    """Rules by kind of target, server, name, and the most telling thing they ask of a caller."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        self._kinds: dict[Kind, Names[Names[Shelf]]] = {kind: Names() for kind in Kind}
        for rule in rules:
            for kind, texts in rule.patterns.items():
                for text in texts:
                    self._add(kind, text, rule)

    def find(self, target: Target, held: Held) -> list[Rule]:
        """Every rule about this caller and target, each once, in no order."""
        found = {
            rule.order: rule
            for shelf in self.shelves(target)
            for rule in _on(shelf, held)
            if rule.covers(held)
        }
        return list(found.values())

    def shelves(self, target: Target) -> Iterator[Shelf]:
        """The rules of every pattern that fits the target."""
        for names in self._kinds[target.kind].find(target.server):
            yield from names.find(target.name)

    def _add(self, kind: Kind, text: str, rule: Rule) -> None:
        server, name = split_pattern(text)
        shelf = self._kinds[kind].place(server, Names()).place(name, {})
        if not rule.asks:
            shelf.setdefault(None, []).append(rule)
            return
        asked, values = rule.asks[0]
        for value in sorted(values):
            shelf.setdefault((asked, value), []).append(rule)


def _on(shelf: Shelf, held: Held) -> Iterator[Rule]:
    yield from shelf.get(None, ())
    for kind, values in held.items():
        for value in values:
            yield from shelf.get((kind, value), ())
