"""The straight way through. Each function is one kind of conversation; read top to bottom.

The record is opened first and closed last, so refusals, crashes and cut streams are in it. Lists and calls
ask the same policy. Nothing is answered before the ledger holds it.
"""

import asyncio
import contextlib
import itertools
from collections.abc import Coroutine, Mapping
from functools import partial
from typing import Any

from toolgate import fanout, listening, opening
from toolgate.catalog.tools import Catalog
from toolgate.errors import INVALID_PARAMS, INVALID_REQUEST, Refusal
from toolgate.follow import begun, follow
from toolgate.learning import Learner
from toolgate.ledger.entry import Book, Entry
from toolgate.listening import Subscribers, Subscription
from toolgate.model import Call, Decision, Effect, Kind, Outcome, Principal, Reply, Session, Target
from toolgate.ports import Outbound, Upstream
from toolgate.protocol import (
    bridge,
    deferred,
    jsonrpc,
    legacy,
    merge,
    modern,
    param_headers,
    subscriptions,
    tracing,
    versions,
)
from toolgate.protocol.deferred import DeferredCalls
from toolgate.protocol.languages import choose
from toolgate.protocol.methods import METHODS, Way
from toolgate.protocol.tracing import Trace
from toolgate.routing import table
from toolgate.routing.sessions import Sessions
from toolgate.snapshot import Snapshot

OPENING_SECONDS = 2.0
"""How long a call waits for the streams of its session that are being opened."""

_LISTEN = b"listen"
"""Stands for the GET stream among the ids in flight; no JSON text of an id is like it."""


class Pipeline:
    """Carries calls. `snapshot` is swapped whole by a reload; a call sees one from start to end."""

    def __init__(
        self,
        snapshot: Snapshot,
        book: Book,
        sessions: Sessions,
        catalog: Catalog,
        subscribers: Subscribers,
        deferred_calls: DeferredCalls,
        traced_share: float | None = None,
    ) -> None:
        """`traced_share`: of the calls whose caller has not decided it, how many are traced. None: tracing is off."""
        self.snapshot = snapshot
        self._traced_share = traced_share
        self._book = book
        self._lists = catalog.lists
        self._patience = fanout.Patience()
        self._sessions = sessions
        self._catalog = catalog
        self._deferred = deferred_calls
        self._learner = Learner(catalog)
        self._numbers = itertools.count(1)
        self._flights: dict[tuple[str, bytes], tuple[Call, asyncio.Task[object]]] = {}
        self._listening: dict[str, asyncio.Event] = {}
        self.subscribers = subscribers
        self._ways = {
            Way.UNARY: self.unary,
            Way.LISTING: self.listing,
            Way.OPENING: self.opening,
            Way.STREAM: self.listen,
            Way.SPREAD: self.spread,
            Way.LOCAL: self.local,
            Way.DEFERRED: self.deferred,
        }

    async def request(self, call: Call) -> Reply:
        """Answer one request. Raises `Refusal`, recorded already."""
        reply = await self.attend(call)
        if reply.recorded is not None:
            await reply.recorded
        return reply

    def attend(self, call: Call) -> Coroutine[Any, Any, Reply]:
        """As `request`, for those who keep the reply back themselves until it is `recorded`."""
        return self._ways[METHODS[call.method].way](call)

    async def unary(self, call: Call) -> Reply:
        """tools/call, resources/read, prompts/get, completion/complete: one target, one answer."""
        world = self.snapshot
        async with self._book.open(call, world) as entry:
            principal = await self._enter(world, call, entry)
            try:
                route = world.resolve(call)
            except table.Unlearned as unlearned:
                await self._learn(world, call, principal, entry, unlearned)
                route = world.resolve(call)
            entry.aimed(route.target)
            if world.policy.reads_catalog and self._learner.lacks(route.target):
                await self._learner.learn(world, call, principal, route.target, self._asker, entry)
            decision = await world.policy.decide(principal, route.target, call)
            entry.decided(decision, call.params.get("arguments"))
            if decision.effect is not Effect.ALLOW:
                raise await self._no(world, principal, route.target, call, decision)
            if self._catalog.param_headers and call.session is None:
                self._check_headers(route.target, call)
            if call.session is not None:
                opening = self._listening.get(call.session.id)
                if opening is not None and not opening.is_set():
                    await _opened(opening)
            number = self._depart(call, entry)
            out = self._outbound(call, principal, number, route.target.name)
            entry.by(out)
            reply = await route.upstream.exchange(out)
            back = bridge.Return(call, number, route.target.server, shared=world.door(call).shared)
            if call.method == "tools/call" and deferred.may_be(call):
                seal = self._deferred.sealer(principal, route.target.server, route.target.name)
                back.change = partial(deferred.created, seal=seal)
            return await follow(reply, back, call, entry)

    async def deferred(self, call: Call) -> Reply:
        """`tasks/*`: about a tool call that is answered later. Who may no longer see the tool knows of none."""
        world = self.snapshot
        async with self._book.open(call, world) as entry:
            principal = await self._enter(world, call, entry)
            if call.session is None and not modern.declares(call.params, modern.TASKS):
                raise deferred.undeclared()
            found = self._deferred.open(call.name, principal)
            target = Target(Kind.TOOL, found.server, found.tool)
            entry.aimed(target)
            decision = await world.policy.decide(principal, target)
            entry.decided(decision, None)
            upstream = world.door(call).servers.get(found.server)
            if upstream is None or decision.effect is Effect.DENY:
                raise deferred.unknown()
            number = self._depart(call, entry)
            out = self._outbound(call, principal, number, found.id)
            entry.by(out)
            reply = await upstream.exchange(out)
            back = bridge.Return(call, number, found.server, shared=world.door(call).shared)
            back.change = partial(deferred.renamed, own=found.id, shown=call.name)
            return await follow(reply, back, call, entry)

    async def listing(self, call: Call) -> Reply:
        """The four lists: every server behind the door, merged, filtered by the policy that judges calls."""
        world = self.snapshot
        async with self._book.open(call, world) as entry:
            principal = await self._enter(world, call, entry)
            if call.params.get("cursor") is not None:
                # Lists leave here in one page, so no cursor is ever given out (B3).
                raise Refusal.invalid("Invalid cursor.", code=INVALID_PARAMS)
            door, method = world.door(call), METHODS[call.method]
            ask = self._asker(call, principal, entry)
            found = await fanout.lists(door, call, principal, ask, self._patience, self._lists)
            items = []
            for server, listed in found.lists.items():
                unusable = self._catalog.note(method, server, listed.entries)
                for one in listed.entries:
                    if one.name in unusable:
                        continue  # One bad tool must not cost the list (E63).
                    target = Target(method.kind, server, one.name)
                    if (await world.policy.decide(principal, target)).effect is not Effect.DENY:
                        shown = door.shared and merge.behind_shared_door(one, method, server, door.separator)
                        items.append(shown or one.raw)
            result = merge.listing(
                items,
                method,
                rest={} if door.shared else next(iter(found.lists.values())).rest,
                missing=found.missing,
                modern=versions.is_modern(call.revision),
                seconds=found.seconds,
            )
            return await self._answer(call, bytes(result), entry, detail=fanout.described(found.missing))

    async def opening(self, call: Call) -> Reply:
        """`initialize` and `server/discover`: who is behind the door."""
        world = self.snapshot
        async with self._book.open(call, world) as entry:
            principal = await world.identify(call)
            entry.identified(principal, None)
            door = world.door(call)
            if call.method == "server/discover":
                found, missing = await fanout.results(
                    door, self._asker(call, principal, entry), self._patience
                )
                result = opening.discovered(door, found)
                return await self._answer(call, result, entry, detail=fanout.described(missing))
            session = self._sessions.begin(
                principal, versions.negotiate(call.params.get("protocolVersion")), call.params
            )
            opened, missing = await fanout.openings(door, session, principal, self._patience)
            session, result = opening.initialized(door, session, opened)
            entry.identified(principal, session)
            reply = await self._answer(call, result, entry, detail=fanout.described(missing))
            reply.session = self._sessions.mint(session)
            return reply

    async def spread(self, call: Call) -> Reply:
        """`logging/setLevel`: told to every server of the session; one refusal does not fail it (E46)."""
        world = self.snapshot
        async with self._book.open(call, world) as entry:
            principal = await self._enter(world, call, entry)
            _, missing = await fanout.results(
                world.door(call), self._asker(call, principal, entry), self._patience
            )
            return await self._answer(call, b"{}", entry, detail=fanout.described(missing))

    async def local(self, call: Call) -> Reply:
        """`ping`: answered here, in both directions (E45)."""
        world = self.snapshot
        async with self._book.open(call, world) as entry:
            await self._enter(world, call, entry)
            return await self._answer(call, b"{}", entry)

    async def listen(self, call: Call) -> Reply:
        """`subscriptions/listen` and the GET stream: messages that belong to no call."""
        world = self.snapshot
        async with self._book.open(call, world) as entry:
            principal = await self._enter(world, call, entry)
            door = world.door(call)
            if call.session is None:
                return await self._subscribe(world, call, principal, entry)
            opened = self._listen_once(call, call.session, entry)
            await entry.begin()
            entry.handed_over = True
            heard = listening.relay(door, call.session, principal, entry, self._lists.changed, opened.set)
            return Reply(stream=await begun(heard))

    async def notify(self, call: Call) -> None:
        """A client's notification, or its response to a server's request (`method` empty)."""
        world = self.snapshot
        principal = await world.identify(call)
        call.session = self._session(call, principal)
        if call.session is None or call.method == "notifications/initialized":
            return
        if call.method == "notifications/cancelled":
            self._cancel(call, call.session)
        elif not call.method:
            await self._deliver(call, principal, world.door(call).servers)
        elif call.method in fanout.PASSED_ON:
            await fanout.tell(world.door(call), self._outbound(call, principal, None, ""))

    async def end(self, call: Call) -> None:
        """DELETE: the client's session is over, here and at every server (E37). Raises `Refusal`."""
        world = self.snapshot
        principal = await world.identify(call)
        session = self._session(call, principal)
        if session is None or call.session_text is None:
            raise legacy.unknown_session()
        call.session = session
        self._sessions.end(session)
        for owner, number in list(self._flights):
            if owner == session.id:
                self._take_back(owner, number)
        servers = world.door(call).servers.values()
        await asyncio.gather(*(server.forget(session, principal) for server in servers))

    async def session_of(self, call: Call) -> Session:
        """The session that a request without a message names. Raises `Refusal`: 401, or 404 for a foreign one."""
        session = self._session(call, await self.snapshot.identify(call))
        assert session is not None, "only stateless clients have none"
        return session

    # Steps

    async def _enter(self, world: Snapshot, call: Call, entry: Entry) -> Principal:
        principal = await world.identify(call)
        call.session = self._session(call, principal)
        entry.identified(principal, call.session)
        if self._traced_share is not None:
            self._trace(call, entry, self._traced_share)
        return principal

    def _trace(self, call: Call, entry: Entry, share: float) -> None:
        """Take the caller's trace into the record, and make the next hop's part of it."""
        record = entry.record
        record.trace = tracing.incoming(call.params, call.traceparent)
        one_server = METHODS[call.method].way is Way.UNARY
        call.onward = Trace.of(record.id, record.trace).onward(share, one_server=one_server)

    async def _learn(
        self, world: Snapshot, call: Call, principal: Principal, entry: Entry, wanted: table.Unlearned
    ) -> None:
        """Read the list that tells what an alias stands for: after a restart clients go on with the names they know."""
        listing = bridge.own_listing(call, wanted.method)
        door = world.doors[wanted.server]
        ask = self._asker(listing, principal, entry)
        found = await fanout.lists(door, listing, principal, ask, self._patience, self._lists)
        self._catalog.note(METHODS[wanted.method], wanted.server, found.lists[wanted.server].entries)

    def _session(self, call: Call, principal: Principal) -> Session | None:
        if versions.is_modern(call.revision):
            return None
        if call.session_text is None:
            return self._sessions.implied(principal, call.revision)
        session = self._sessions.open(call.session_text, principal)
        if session is None:
            raise legacy.unknown_session()
        # The negotiated revision stays, whatever the header of one request says (E23).
        call.revision = session.revision
        return session

    async def _no(
        self, world: Snapshot, principal: Principal, target: Target, call: Call, decision: Decision
    ) -> Refusal:
        if decision.scopes:
            return Refusal.insufficient_scope(decision.scopes, reason=f"demanded by {decision.rule}")
        if target.kind is Kind.SERVER:
            # Only an extension knows the method, and who may not use it does not learn that it is there.
            if versions.is_modern(call.revision):
                return modern.unknown_method(call.method)
            return legacy.unknown_method(call.method)
        listed = await world.policy.decide(principal, target)
        name = call.name or target.name
        if listed.effect is Effect.DENY:
            return table.unknown(target.kind, name, reason=f"hidden by {decision.rule or 'the default'}")
        if decision.effect is Effect.APPROVE:
            text = "This call needs the approval of a person, and no approver is configured."
        else:
            text = "This call is not allowed."
        spoken = choose(call.languages, decision.reasons)
        return Refusal.denied(
            "policy", spoken or decision.reason or text, reason=f"{decision.effect} by {decision.rule}"
        )

    def _check_headers(self, target: Target, call: Call) -> None:
        """What a router on the way read in `Mcp-Param-*` is what the body says (E17). Behind the policy, so that
        nobody learns of a hidden tool by its headers."""
        declared = self._catalog.param_headers.get(target)
        if declared is None:
            return
        arguments = call.params.get("arguments")
        if call.local:
            # On standard input there are no headers: those of the next hop are made of the body.
            call.headers = param_headers.written(declared, arguments)
        else:
            param_headers.check(declared, call.headers, arguments)

    def _depart(self, call: Call, entry: Entry) -> int:
        """A number for the upstream's hop; a session's call is kept where its cancellation finds it."""
        entry.sent()
        if call.session is not None and call.id is not None:
            key = (call.session.id, call.id)
            if key in self._flights:
                raise Refusal.invalid("This id is in flight already in this session.")
            self._board(key, call, entry)
        return next(self._numbers)

    def _board(self, key: tuple[str, bytes], call: Call, entry: Entry) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._flights[key] = (call, task)
        entry.then(lambda: self._flights.pop(key, None))

    def _cancel(self, call: Call, session: Session) -> None:
        wanted = call.params.get("requestId")
        if isinstance(wanted, str | int):
            self._take_back(session.id, jsonrpc.id_text(wanted))

    def _take_back(self, session: str, number: bytes) -> None:
        flight = self._flights.get((session, number))
        if flight is not None:
            call, task = flight
            call.cancelled = True
            task.cancel()

    def stop_listening(self) -> None:
        """End the streams that never end by themselves, so that a stopping gateway need not cut them (E39)."""
        for session in self._listening:
            self._take_back(session, _LISTEN)
        self.subscribers.finish()

    def _listen_once(self, call: Call, session: Session, entry: Entry) -> asyncio.Event:
        if session.id in self._listening:
            raise Refusal(
                "session", "busy", "This session has a stream already.", code=INVALID_REQUEST, status=409
            )
        opened = self._listening[session.id] = asyncio.Event()
        self._board((session.id, _LISTEN), call, entry)
        entry.then(opened.set)
        entry.then(lambda: self._listening.pop(session.id))
        return opened

    async def _subscribe(self, world: Snapshot, call: Call, principal: Principal, entry: Entry) -> Reply:
        assert call.id is not None

        async def open_(upstream: Upstream, what: subscriptions.Wanted) -> Reply:
            number = next(self._numbers)
            out = self._outbound(call, principal, number, "")
            out.message = subscriptions.request(call.body, number, what)
            return await upstream.exchange(out)

        wanted = await self._permitted(world, call, principal)
        door = world.door(call)
        one = Subscription(call.id, door, wanted, open_, self._lists.changed, self._patience.seconds)
        self.subscribers.enter(one, principal, entry)
        await entry.begin()
        entry.handed_over = True
        return Reply(stream=await begun(listening.recorded(one, entry)))

    async def _permitted(
        self, world: Snapshot, call: Call, principal: Principal
    ) -> dict[str, subscriptions.Wanted]:
        """What each server is asked for. Resources this caller may not read are left out and not mentioned."""
        assert call.id is not None
        door, wanted = world.door(call), subscriptions.wanted(call.id, call.params)
        uris: dict[str, list[str]] = {name: [] for name in door.servers}
        for uri in wanted.uris:
            target = table.resource(door, uri)
            if target.server in uris:
                decision = await world.policy.decide(principal, target, call)
                if decision.effect is Effect.ALLOW:
                    uris[target.server].append(target.name)
        rest = {} if door.shared else wanted.rest
        asked = {name: subscriptions.Wanted(wanted.lists, tuple(own), rest) for name, own in uris.items()}
        return {name: what for name, what in asked.items() if what}

    async def _deliver(self, call: Call, principal: Principal, servers: Mapping[str, Upstream]) -> None:
        place = bridge.addressee(call.id or b"null")
        upstream = servers.get(place[0]) if place is not None else None
        if place is not None and upstream is not None:
            out = self._outbound(call, principal, None, "")
            out.message = bridge.answer(call.body, place[1])
            await upstream.send(out)

    def _outbound(self, call: Call, principal: Principal, number: int | None, own_name: str) -> Outbound:
        method = METHODS.get(call.method)
        message, headers = call.body, call.headers
        if number is not None:
            message = bridge.outbound(call, number, own_name)
            if call.onward is not None:
                message = tracing.carried(message, call.onward, call.tracestate)
                headers = (*headers, *tracing.headers(call.onward, call.tracestate))
        return Outbound(
            message=message,
            method=call.method,
            revision=call.revision,
            id=number,
            name=own_name,
            principal=principal,
            session=call.session,
            headers=headers,
            repeatable=method is not None and method.repeatable,
        )

    def _asker(self, call: Call, principal: Principal, entry: Entry) -> fanout.Ask:
        """Asks one server what the client asked the door, page by page where there are pages."""

        async def ask(upstream: Upstream, cursor: str | None) -> bytes:
            number = next(self._numbers)
            out = self._outbound(call, principal, number, call.name)
            entry.by(out)
            if cursor is not None:
                out.message = bridge.next_page(out.message, cursor)
            return await fanout.result_of(await upstream.exchange(out), number)

        return ask

    async def _answer(self, call: Call, result: bytes, entry: Entry, *, detail: str | None = None) -> Reply:
        assert call.id is not None
        message = jsonrpc.result_text(call.id, result)
        await entry.close(Outcome.OK, detail=detail, size=len(message))
        return Reply(message=message)


async def _opened(opening: asyncio.Event) -> None:
    """What a server asks outside of a call's stream is lost while its own stream is being opened, and the call
    waits for ever: so a call waits for that stream first (protocol 20.2, rule 10)."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(OPENING_SECONDS):
            await opening.wait()
