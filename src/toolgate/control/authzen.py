"""Toolgate as a decision point for other gateways: AuthZEN Authorization API 1.0. The policy is the one of calls.

https://openid.net/specs/authorization-api-1_0.html. Whoever asks is identified as any caller and must have one role.
Each decision about a tool, resource or prompt is recorded as an event of its own, `decision`, before it is told, and
counts in totals: the call it is for is made elsewhere.
"""

import time
from collections.abc import Callable, Sequence
from typing import Any

import orjson
from msgspec import Struct, structs

from toolgate.control.authzen_questions import Evaluations, Question, Unreadable, question, read
from toolgate.control.tasks import asking
from toolgate.errors import Refusal
from toolgate.ledger.entry import Book
from toolgate.ledger.marks import new_id, timestamp
from toolgate.model import Effect, Principal, Record
from toolgate.policy.cases import principal_of
from toolgate.policy.document import Caller
from toolgate.protocol import jsonrpc
from toolgate.snapshot import Snapshot

EVALUATION = "/access/v1/evaluation"
EVALUATIONS = "/access/v1/evaluations"
METADATA = "/.well-known/authzen-configuration"
PATHS = frozenset({EVALUATION, EVALUATIONS, METADATA})
SUBJECTS = 1024
"""Subjects that are remembered, since what is decided of a subject is remembered with it."""
_STOPS = {"deny_on_first_deny": False, "permit_on_first_permit": True}

Headers = Sequence[tuple[bytes, bytes]]
Answer = tuple[int, tuple[tuple[bytes, bytes], ...], bytes]


class Asked(Struct, frozen=True):
    """One HTTP request."""

    method: str
    path: str
    headers: Headers
    body: bytes
    peer: str

    def header(self, name: bytes) -> str | None:
        """The one value of a header."""
        values = [value for key, value in self.headers if key.lower() == name]
        return values[0].decode("latin-1") if len(values) == 1 else None


class DecisionPoint:
    """Answers for `PATHS`."""

    def __init__(self, url: str, role: str, world: Callable[[], Snapshot], book: Book) -> None:
        """`url` is how others see this listener; `role` is what whoever asks must have."""
        self._role = role
        self._world = world
        self._book = book
        self._subjects: dict[bytes, Principal] = {}
        self._metadata = orjson.dumps(
            {
                "policy_decision_point": url,
                "access_evaluation_endpoint": url + EVALUATION,
                "access_evaluations_endpoint": url + EVALUATIONS,
            }
        )

    async def answer(self, asked: Asked) -> Answer:
        """Status, headers and body."""
        if asked.path == METADATA:
            return 200, ((b"content-type", b"application/json"),), self._metadata
        id_ = asked.header(b"x-request-id")
        headers: tuple[tuple[bytes, bytes], ...] = (
            (b"content-type", b"application/json"),
            (b"cache-control", b"no-store"),
        )
        if id_ is not None:
            headers = (*headers, (b"x-request-id", id_.encode("latin-1")))
        try:
            return 200, headers, orjson.dumps(await self._judged(asked))
        except Unreadable as error:
            return 400, headers, orjson.dumps(str(error))
        except Refusal as refusal:
            if refusal.status == 401:
                headers = (*headers, (b"www-authenticate", b"Bearer"))
            return refusal.status, headers, orjson.dumps(refusal.text)

    async def _judged(self, asked: Asked) -> Any:
        if asked.method != "POST":
            raise Refusal("authzen", "method", "Ask with POST.", code=0, status=405)
        world = self._world()
        who = await self._asker(asked, world)
        if (asked.header(b"content-type") or "").partition(";")[0].strip().lower() != "application/json":
            raise Unreadable("Content-Type: application/json is expected.")
        body = jsonrpc.parse(asked.body)
        if asked.path == EVALUATION or not isinstance(body, dict) or not body.get("evaluations"):
            return await self._one(body, asked, who, world)
        many = read(Evaluations, body)
        stop = _STOPS.get(many.options.evaluations_semantic)
        answers: list[Any] = []
        for one in many.evaluations:
            answers.append(await self._one_of_many({**body, **one}, asked, who, world))
            if answers[-1]["decision"] is stop:
                break
        return {"evaluations": answers}

    async def _asker(self, asked: Asked, world: Snapshot) -> Principal:
        """Who asks. Raises `Refusal`."""
        given = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in asked.headers}
        who = await world.identify(asking(given))
        if self._role not in who.roles:
            raise Refusal.denied("authzen", "This caller may not ask for decisions.")
        return who

    async def _one_of_many(self, data: Any, asked: Asked, who: Principal, world: Snapshot) -> Any:
        """As `_one`; a question that cannot be read is denied and does not spoil the others."""
        try:
            return await self._one(data, asked, who, world)
        except Unreadable as error:
            return {"decision": False, "context": {"error": {"status": 400, "message": str(error)}}}

    async def _one(self, data: Any, asked: Asked, who: Principal, world: Snapshot) -> Any:
        """Raises `Unreadable`, and `Refusal` where the decision cannot be recorded: then none is told."""
        about = question(data)
        if not about.known:
            return _no("Toolgate knows no such method for a resource of this type.")
        if about.target is None:
            # Lists and the life cycle are open to whoever is let in; what a list holds is asked item by item.
            return {"decision": True}
        call = about.call()
        subject = self._subject(about.caller)
        decision = await world.policy.decide(subject, about.target, call)
        record = self._record(about, subject, who, asked, world)
        record.decision, record.rule, record.reason = decision.effect, decision.rule, decision.reason
        record.policy, record.condition_errors = decision.policy, decision.errors
        record.totals = None if decision.hold is None else decision.hold.counted
        self._book.describe(record, about.arguments)
        try:
            await self._book.ledger.append(record)
        except Refusal:
            if decision.hold is not None:
                decision.hold.give_back()
            raise
        if decision.effect is Effect.ALLOW:
            return {"decision": True}
        return _no(decision.reason or "This call is not allowed.", effect=decision.effect, rule=decision.rule)

    def _subject(self, caller: Caller) -> Principal:
        """The same object for the same subject, as long as it is remembered."""
        key = caller.model_dump_json().encode()
        principal = self._subjects.get(key)
        if principal is None:
            if len(self._subjects) >= SUBJECTS:
                del self._subjects[next(iter(self._subjects))]
            principal = structs.replace(principal_of(caller), id="authzen", method="authzen")
            self._subjects[key] = principal
        return principal

    def _record(
        self, about: Question, subject: Principal, who: Principal, asked: Asked, world: Snapshot
    ) -> Record:
        assert about.target is not None
        record = Record(
            id=new_id(),
            ts=timestamp(time.time()),
            event="decision",
            method=about.method,
            client_ip=asked.peer,
            auth="authzen",
            principal=who.id,
            agent=subject.agent,
            user=subject.user,
            tenant=subject.tenant,
            task=subject.task.id if subject.task else None,
            kind=about.target.kind,
            server=about.target.server,
            target=about.target.name,
            config=world.version,
        )
        if self._book.disguise is not None:
            self._book.disguise(record)
        return record


def _no(reason: str, **more: Any) -> dict[str, Any]:
    return {
        "decision": False,
        "context": {"reason": reason, **{k: v for k, v in more.items() if v is not None}},
    }
