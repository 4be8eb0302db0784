"""Facts to the clients that follow them: in the order of positions, each once, from any position."""

import asyncio
import contextlib
import logging
from collections.abc import Iterable, Sequence
from typing import Final

from application import meters
from application.live.client import Client
from application.live.messages import Message, fact_message, resync, whose
from application.live.owners import Owners
from application.live.source import Fact, LiveUnavailable, Source, Views
from application.live.topics import FACT_TOPIC_OF_WORD, OWNED
from application.live.wheel import Wheel

_AGAIN_SECONDS: Final = 1.0

_log = logging.getLogger("fairbook.live")


class Following:
    """Follows the ledger while somebody does; `position` is the last fact that was handed on."""

    def __init__(self, source: Source, views: Views) -> None:
        self.wheel = Wheel()
        self.position = 0
        self._source = source
        self._owners = Owners(views)
        self._everything: dict[str, set[Client]] = {}
        self._own: dict[str, dict[str, set[Client]]] = {}
        self._catching_up: dict[Client, list[set[str]]] = {}
        self._task: asyncio.Task[None] | None = None
        self._ending: set[asyncio.Task[None]] = set()

    def stop(self) -> None:
        """Follow no more. Nobody waits for the end of it: it hands nothing on any more."""
        if self._task is not None:
            self._task.cancel()
            self._ending.add(self._task)
            self._task.add_done_callback(self._ending.discard)
            self._task = None
        self.position = 0

    async def stopped(self) -> None:
        """Wait until nothing of it runs any more."""
        while self._ending:
            # A client library may take a cancellation for a lost connection.
            for task in self._ending:
                task.cancel()
            await asyncio.wait([*self._ending], timeout=0.5)

    # ---- who follows

    async def join(
        self, client: Client, topics: Sequence[str], after: int | None
    ) -> tuple[int, set[str]]:
        """Begin to follow for a client, and give the position after which it is told facts.

        Besides, the topics that it still has to `catch_up` with; it is told nothing of them before. Raises
        LiveUnavailable.
        """
        first, last = await self._source.bounds()
        if self._task is None:
            self.position = last
            self._task = asyncio.create_task(self._follow(), name="live facts")
        client.topics.update(topics)
        start = self.position if after is None else after
        if start + 1 < first and start < last:
            self._note(client, topics, "too_old", start)
            start = self.position
        elif start > max(last, self.position):
            self._note(client, topics, "ahead", max(last, self.position))
        behind = set(topics)
        if start < self.position:
            self._catching_up.setdefault(client, []).append(behind)
            return start, behind
        self._go_along(client, behind, start)
        return start, set()

    async def catch_up(self, client: Client, behind: set[str], after: int) -> None:
        """Tell a client the facts after a position, until it has all that the others have; then it goes along with them."""
        words = [word for word, topic in FACT_TOPIC_OF_WORD.items() if topic in behind]
        told = after
        while told < self.position and behind and client.ended is None:
            upto = self.position
            try:
                first, last = await self._source.bounds()
                if told + 1 < first:
                    self._note(client, behind, "too_old", told)
                    told = upto
                    continue
                if last < upto:
                    raise LiveUnavailable("the stream was lost, and is being published again")
                async with contextlib.aclosing(self._source.history(told, upto, words)) as stream:
                    async for facts in stream:
                        for fact in facts:
                            await self._tell_one(client, fact, behind)
                            told = fact.position
            except LiveUnavailable as error:
                _log.info("a client cannot catch up yet: %s", error)
                await asyncio.sleep(_AGAIN_SECONDS)
                continue
            told = max(told, upto)
        # From the last look at `position` to here nothing else ran: what is published next reaches this client too.
        self._go_along(client, behind, told)
        if (waiting := self._catching_up.get(client)) is not None:
            self._catching_up[client] = [each for each in waiting if each is not behind]
            if not self._catching_up[client]:
                del self._catching_up[client]

    def _go_along(self, client: Client, topics: Iterable[str], position: int) -> None:
        for topic in topics:
            client.floors[topic] = position
            self._followers(client, topic).add(client)

    def _note(self, client: Client, topics: Iterable[str], reason: str, after: int) -> None:
        client.say(resync(sorted(topics), reason, after))
        meters.live_resyncs.add(labels=(reason,))

    def leave(self, client: Client, topics: Iterable[str]) -> None:
        """Tell a client no more of these topics; follow no more when nobody does."""
        for topic in topics:
            client.floors.pop(topic, None)
            followers = self._followers(client, topic)
            followers.discard(client)
            if not followers and client.owner is not None:
                self._own.get(topic, {}).pop(client.owner, None)
            for behind in self._catching_up.get(client, ()):
                behind.discard(topic)
        followed = any(self._everything.values()) or any(self._own.values())
        if not followed and not any(any(each) for each in self._catching_up.values()):
            self.stop()

    def _followers(self, client: Client, topic: str) -> set[Client]:
        if topic in OWNED and client.owner is not None:
            return self._own.setdefault(topic, {}).setdefault(client.owner, set())
        return self._everything.setdefault(topic, set())

    # ---- facts come

    async def _follow(self) -> None:
        me = asyncio.current_task()
        while self._task is me:
            try:
                async with contextlib.aclosing(self._source.facts(self.position)) as stream:
                    async for facts in stream:
                        for fact in facts:
                            if self._task is me:
                                await self._hand_on(fact)
                        if self._task is not me:
                            return
            except Exception:  # noqa: BLE001  whatever it is, the streams must not stay silent
                _log.exception("live facts stopped; they go on in a moment")
                await asyncio.sleep(_AGAIN_SECONDS)

    async def _hand_on(self, fact: Fact) -> None:
        topic = FACT_TOPIC_OF_WORD.get(fact.topic.partition(".")[0])
        owner = None
        own: dict[str, set[Client]] = {}
        if topic is not None:
            own = self._own.get(topic, {})
            # Found before anything is told: from then on nothing waits, so nobody joins in between.
            owner = await self._owner(fact) if own else None
        if fact.position > self.position + 1:
            self._tell_of_gap()
        if topic is not None:
            clients = [*self._everything.get(topic, ()), *own.get(owner or "", ())]
            if clients and (shown := _shown(topic, fact)):
                received = asyncio.get_running_loop().time()
                for client in clients:
                    if fact.position > client.floors.get(topic, 0):
                        client.add_fact(shown, received)
        self.position = fact.position

    async def _owner(self, fact: Fact) -> str | None:
        try:
            account_id, owner = whose(fact)
        except ValueError as error:
            _log.warning("fact %s is none: %s", fact.position, error)
            return None
        if owner is not None:
            if self._owners.known(account_id) is None:
                self._owners.learn(account_id, owner)
            return owner
        return self._owners.known(account_id) or await self._owners.find(account_id, fact.position)

    def _tell_of_gap(self) -> None:
        """Facts are no longer there that were published while nobody could hear them."""
        followers: dict[Client, list[str]] = {}
        for topic, clients in self._everything.items():
            for client in clients:
                followers.setdefault(client, []).append(topic)
        for topic, by_owner in self._own.items():
            for clients in by_owner.values():
                for client in clients:
                    followers.setdefault(client, []).append(topic)
        for client, topics in followers.items():
            self._note(client, topics, "too_old", self.position)

    async def _tell_one(self, client: Client, fact: Fact, topics: set[str]) -> None:
        topic = FACT_TOPIC_OF_WORD.get(fact.topic.partition(".")[0])
        if topic is None or topic not in topics:
            return
        if client.owner is not None and topic in OWNED and await self._owner(fact) != client.owner:
            return
        if shown := _shown(topic, fact):
            await client.room()
            if topic in topics:  # still: while this waited, the client may have left
                client.add_fact(shown, asyncio.get_running_loop().time())


def _shown(topic: str, fact: Fact) -> Message | None:
    try:
        return fact_message(topic, fact)
    except ValueError as error:
        _log.warning("fact %s is none: %s", fact.position, error)
        return None
