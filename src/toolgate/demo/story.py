"""The story, step by step, each step checking what it says. Knows the example's policies by heart.

A step that does not show what it promises raises `PlotError`: the demo is its own test.
"""

import sqlite3
from contextlib import AbstractAsyncContextManager, closing
from textwrap import shorten
from typing import Any

from toolgate.demo.cast import Agent, Answer
from toolgate.demo.stage import Stage
from toolgate.demo.teller import Teller

WIDTH = 90
CLOSING = "monthly-close"
SUPPORT = "customer-support"
SMALL, LARGE = 1_250.00, 25_000.00
SEEN = ["bank__list_transfers", "bank__read_account", "bank__transfer_funds"]
SEEN_BY_SUPPORT = ["crm__find_customer", "crm__read_customer"]


class PlotError(Exception):
    """Something in the story did not happen as told."""


class Story:
    """The steps that need the gateway, in the order they are told."""

    def __init__(self, stage: Stage, teller: Teller) -> None:
        self._stage = stage
        self._teller = teller
        self.refusals = 0
        """How often the gateway said no; the ledger must know each of them."""
        self.steps = (self.sees, self.calls, self.pays, self.changes_task, self.reads, self.goes_stateless)

    async def sees(self) -> None:
        """Ten tools on the servers, three for this agent."""
        self._teller.step("Ten tools on two servers, three for this agent")
        bank = await self._tools_of(self._stage.bank)
        crm = await self._tools_of(*self._stage.crm("crm-asked.db"))
        async with self._agent(CLOSING) as agent:
            seen = await agent.tools()
        self._teller.line(f"The bank server has {len(bank)}: {', '.join(bank)}.")
        self._teller.line(f"The CRM server has {len(crm)}: {', '.join(crm)}.")
        self._teller.line(f"closing-bot, for dana, on {CLOSING}, sees {len(seen)}: {', '.join(seen)}.")
        expect(len(bank) + len(crm) == 10, "the servers have ten tools together")
        expect(seen == SEEN, f"the agent sees {SEEN}")

    async def calls(self) -> None:
        """A call that is allowed."""
        self._teller.step("A call that is allowed")
        async with self._agent(CLOSING) as agent:
            answer = await self._call(agent, "bank__read_account", account="ops-1001")
            held = granted(answer).data
            self._teller.allowed(f"{held['name']} holds {held['balance']:,.2f} {held['currency']}")

    async def pays(self) -> None:
        """One tool, two amounts: one is paid, one is not."""
        self._teller.step("A transfer refused by its amount, a smaller one made")
        before = self._transfers()
        async with self._agent(CLOSING) as agent:
            refused = self._denied(
                await self._call(agent, "bank__transfer_funds", **_payment(LARGE, "Advance 2027"))
            )
            self._teller.refused(refused.text)
            expect("Transfers over 10,000" in refused.text, "the refusal gives the policy's reason")
            expect(self._transfers() == before, "nothing was moved")
            paid = granted(await self._call(agent, "bank__transfer_funds", **_payment(SMALL, "NW-21190")))
        [row] = [row for row in self._transfers() if row not in before]
        self._teller.allowed(f"transfer {paid.data['id']}; in the bank's SQLite file: {row}")
        expect(
            row[0] == paid.data["id"] and row[4] == round(SMALL * 100), "the row is the transfer asked for"
        )

    async def changes_task(self) -> None:
        """What an agent may do hangs on its task."""
        self._teller.step(f"The same agent on {SUPPORT}: a tool it had a moment ago is refused")
        async with self._agent(SUPPORT) as agent:
            seen = await agent.tools()
            self._teller.line(f"It sees {len(seen)} other tools: {', '.join(seen)}.")
            expect(seen == SEEN_BY_SUPPORT, f"the agent sees {SEEN_BY_SUPPORT}")
            refused = self._denied(
                await self._call(agent, "bank__transfer_funds", **_payment(SMALL, "NW-21190"))
            )
            self._teller.refused(refused.text)
            found = granted(await self._call(agent, "crm__find_customer", text="lyon"))
            [customer] = found.data["result"]
            self._teller.allowed(f"{customer['name']}, {customer['city']}: {customer['contact']}")

    async def reads(self) -> None:
        """Resources and prompts stand under the same rules."""
        self._teller.step("Resources and prompts, under the same rules")
        async with self._agent(CLOSING) as agent:
            for account, verdict in (("ops-1001", granted), ("pay-2001", self._denied)):
                uri = f"bank+accounts://{account}/statement"
                self._teller.asked(f"read {uri}")
                self._verdict(verdict(await agent.read(uri)))
            self._teller.asked("prompt bank__monthly-close-summary(month=2026-11)")
            self._verdict(granted(await agent.prompt("bank__monthly-close-summary", month="2026-11")))
            self._teller.asked("prompt crm__customer-reply(customer=cus-05)")
            reply = await agent.prompt("crm__customer-reply", customer="cus-05", question="When?")
            self._verdict(self._denied(reply))

    async def goes_stateless(self) -> None:
        """A client of the newest revision, at the bank alone."""
        self._teller.step("A client of revision 2026-07-28, without a session, at /servers/bank/mcp")
        url = self._stage.url("/servers/bank/mcp")
        async with self._stage.cast.agent(url, task=CLOSING, stateless=True) as agent:
            held = granted(await self._call(agent, "read_account", account="ops-1002")).data
            self._teller.allowed(f"{held['name']} holds {held['balance']:,.2f} {held['currency']}")
            refused = self._denied(
                await self._call(agent, "transfer_funds", **_payment(LARGE, "Advance 2027"))
            )
            self._teller.refused(refused.text)

    def _agent(self, task: str) -> AbstractAsyncContextManager[Agent]:
        return self._stage.cast.agent(self._stage.url(), task=task)

    async def _tools_of(self, *server: str) -> list[str]:
        async with self._stage.cast.visitor(*server) as visitor:
            return await visitor.tools()

    async def _call(self, agent: Agent, tool: str, **arguments: Any) -> Answer:
        self._teller.asked(f"{tool}({', '.join(f'{name}={value}' for name, value in arguments.items())})")
        return await agent.call(tool, **arguments)

    def _denied(self, answer: Answer) -> Answer:
        expect(not answer.ok, f"this is refused, but: {answer.text}")
        self.refusals += 1
        return answer

    def _verdict(self, answer: Answer) -> None:
        first = shorten(answer.text.partition("\n")[0], WIDTH, placeholder=" …")
        (self._teller.allowed if answer.ok else self._teller.refused)(first)

    def _transfers(self) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self._stage.bank_file, timeout=5)) as file:
            return file.execute("select * from transfers order by id").fetchall()


def expect(fact: bool, text: str) -> None:
    """Raise `PlotError` with `text` where it is not a fact."""
    if not fact:
        raise PlotError(f"expected that {text}")


def granted(answer: Answer) -> Answer:
    """The answer, if it is a good one."""
    expect(answer.ok, f"this is allowed, but: {answer.text}")
    return answer


def _payment(amount: float, memo: str) -> dict[str, Any]:
    return {"from_account": "ops-1001", "to_account": "sup-4001", "amount": amount, "memo": memo}
