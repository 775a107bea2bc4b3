"""What callers read where they are refused (AZ-23)."""

import pytest
from policy_support import ask, policy, source

from toolgate.model import Decision

TEXT = """
reason: {default: Ask the platform team., de: Frage das Plattform-Team.}
rules:
  - {id: plain, tools: ["bank/a"], effect: deny, reason: Not here.}
  - {id: both, tools: ["bank/b"], effect: deny, reason: {default: Not here., de: Nicht hier., pt-BR: Aqui não.}}
  - {id: silent, tools: ["bank/c"], effect: deny}
  - {id: asks, tools: ["bank/d"], effect: approve}
"""


async def refused(name: str) -> Decision:
    return await ask(policy(TEXT), to=f"bank/{name}")


async def test_a_rule_has_its_own_reason_in_several_languages() -> None:
    assert ((await refused("a")).reason, (await refused("a")).reasons) == ("Not here.", {})
    assert (await refused("b")).reason == "Not here."
    assert (await refused("b")).reasons == {"de": "Nicht hier.", "pt-BR": "Aqui não."}


async def test_where_a_rule_or_nobody_says_why_the_policy_does() -> None:
    for name in ("c", "unknown"):
        decision = await refused(name)
        assert (decision.reason, decision.reasons) == (
            "Ask the platform team.",
            {"de": "Frage das Plattform-Team."},
        )
    assert (await refused("d")).reason is None


@pytest.mark.parametrize("reason", ["{de: Nein.}", "{default: No., german: Nein.}", "{}", "7"])
def test_texts_without_a_default_or_with_unknown_tags_are_refused(reason: str) -> None:
    with pytest.raises(ValueError, match="reason"):
        source(f"version: 1\nreason: {reason}")


def test_reasons_are_part_of_what_the_version_stands_for() -> None:
    assert policy(TEXT).version != policy(TEXT.replace("Frage das", "Fragt das")).version
