"""How a model follows the log: a batch of events in, a handful of set-based statements out.

A projection is a pure function. What earlier events said, it asks of the batch, which finds it in the log (immutable,
so the answer is the same whenever it is asked) and never in tables that are being written. The same function serves
the live model, a rebuild in another schema, and a replay, whatever the size of the batches.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import date
from functools import cached_property
from operator import attrgetter
from typing import Any, Literal, Protocol, TypeVar, cast
from uuid import UUID

from msgspec import Struct

from domain.account import Account, AccountEvent
from domain.bet import Bet, BetChange, BetStatus
from domain.events.account import (
    AccountLimitsChanged,
    AccountOpened,
    BonusGranted,
    CommissionCharged,
    FreeStakeReserved,
    FundsDeposited,
    FundsPaidOut,
    FundsReleased,
    FundsReserved,
    StakeReopened,
    StakeRepriced,
    StakeReserved,
    StakeResettled,
    StakeSettled,
)
from domain.events.bet import (
    BetPartCashedOut,
    BetPartsVoided,
    BetPlaced,
    BetReopened,
    BetRepriced,
    BetResettled,
    BetSettled,
)
from domain.events.event import Event, Recorded
from domain.events.market import MarketOpened
from domain.streams import State, evolve

ColumnType = Literal["uuid", "bigint", "numeric", "text", "boolean", "bytea", "timestamptz"]
"""PostgreSQL types of whole columns: `numeric` for sums of any size, `text` may hold None, and casts to others."""

StreamKey = int
"""A stream id as the number that it is: a UUID's own hash and comparison run Python code, which shows here."""

ACCOUNT_EVENTS: tuple[type[Event], ...] = (
    AccountOpened,
    FundsDeposited,
    FundsReserved,
    FundsPaidOut,
    FundsReleased,
    StakeReserved,
    StakeSettled,
    StakeResettled,
    StakeReopened,
    StakeRepriced,
    CommissionCharged,
    BonusGranted,
    FreeStakeReserved,
    AccountLimitsChanged,
)

SETTLEMENTS: tuple[type[Event], ...] = (BetSettled, BetResettled, BetReopened)
"""What settlement does to a bet."""

ALTERATIONS: tuple[type[Event], ...] = (BetPartCashedOut, BetPartsVoided, BetRepriced)
"""What changes a bet beside its settlement: parts that are cashed out, odds that are corrected."""

Alteration = BetPartCashedOut | BetPartsVoided | BetRepriced


class Statement(Struct, frozen=True):
    """SQL over whole columns: its `%s` are arrays, one for each of `types`, to be unnested together."""

    sql: str
    types: tuple[ColumnType, ...]


Change = tuple[Statement, Sequence[Sequence[Any]]]
"""A statement and its columns, all of the same length."""


def over(sql: str, *types: ColumnType) -> Statement:
    """Make a statement: `{}` in `sql` stands for the unnested columns of these types."""
    columns = ", ".join(f"%s::{each}[]" for each in types)
    return Statement(sql.replace("{}", f"unnest({columns})"), types)


class Projection(Struct, frozen=True):
    """A model's tables and how events change them.

    `follows` are the events of the streams that it shows, `glances_at` single ones of other streams: nothing else that
    such a stream says, now or in a later version, matters to it. A model whose tables or `revision` change is rebuilt
    by the worker that finds the old ones: raise it when `changes` writes something else into the same tables.
    `tables` are made by `create` with the keys that `changes` needs; `index` makes what only readers need, last in a
    rebuild. All names are unqualified: the connection's search path says which schema. `changes` gives a batch's statements in
    order; a model whose table serves somebody else names its `schema`.
    """

    name: str
    tables: tuple[str, ...]
    create: str
    follows: tuple[type[Event], ...]
    changes: Callable[["Batch"], Iterable[Change]]
    index: str = ""
    schema: str = "read_models"
    glances_at: tuple[type[Event], ...] = ()
    revision: int = 1

    def concerns(self, topic: str) -> bool:
        """Tell whether an event that cannot be read may matter: one of its topics, or unknown in one of its streams."""
        kind = topic.partition(".")[0]
        return any(kind == event.topic.partition(".")[0] for event in self.follows) or any(
            topic == event.topic for event in self.glances_at
        )


class History(Protocol):
    """The log behind a batch."""

    def first_events(self, stream_ids: Collection[UUID]) -> Mapping[UUID, Event]:
        """Give the first event of each of these streams that exist."""

    def states(self, versions: Mapping[StreamKey, int]) -> dict[StreamKey, State]:
        """Give the states of streams right after these versions (1 or more)."""

    def keep(self, states: Mapping[StreamKey, State]) -> None:
        """Remember states, which `states` may be asked for next."""


E = TypeVar("E", bound=Event)
_position = attrgetter("position")


class Batch:
    """Consecutive events of the log, sorted once for all models that take them."""

    def __init__(self, events: Sequence[Recorded], history: History) -> None:
        self.events = events
        self._history = history

    @cached_property
    def _by_type(self) -> dict[type[Event], list[Recorded]]:
        by_type: dict[type[Event], list[Recorded]] = {}
        for recorded in self.events:
            kind = type(recorded.event)
            try:
                by_type[kind].append(recorded)
            except KeyError:
                by_type[kind] = [recorded]
        return by_type

    def of(self, *kinds: type[Event]) -> list[Recorded]:
        """Give the events of these types in the order of the log."""
        found = [events for kind in kinds if (events := self._by_type.get(kind))]
        if len(found) == 1:
            return found[0]
        return sorted((recorded for events in found for recorded in events), key=_position)

    @cached_property
    def placed(self) -> list[tuple[Recorded, BetPlaced]]:
        """The bets that are placed in this batch."""
        return [(recorded, cast("BetPlaced", recorded.event)) for recorded in self.of(BetPlaced)]

    @cached_property
    def settled(self) -> list[tuple[Recorded, BetChange, BetPlaced]]:
        """What settlement does to bets in this batch, each with what was placed; a bet may come several times."""
        settled = self.of(*SETTLEMENTS)
        if not settled:
            return []
        placed = self.first_events(BetPlaced, {r.stream_id.int: r.stream_id for r in settled})
        return [(r, cast("BetChange", r.event), placed[r.stream_id.int]) for r in settled]

    @cached_property
    def alterations(self) -> list[tuple[Recorded, Alteration, BetPlaced]]:
        """What changes bets in this batch beside their settlement, each with what was placed."""
        altered = self.of(*ALTERATIONS)
        if not altered:
            return []
        placed = self.first_events(BetPlaced, {r.stream_id.int: r.stream_id for r in altered})
        return [(r, cast("Alteration", r.event), placed[r.stream_id.int]) for r in altered]

    @cached_property
    def statuses_before_corrections(self) -> dict[int, BetStatus]:
        """How each bet stood that is settled otherwise or reopened here, by the position of that event."""
        corrected: dict[StreamKey, int] = {}
        seen: set[StreamKey] = set()
        for recorded, event, _ in self.settled:
            key = recorded.stream_id.int
            if type(event) is not BetSettled and key not in seen:
                corrected[key] = recorded.version - 1
            seen.add(key)
        states = self._history.states(corrected) if corrected else {}
        stands = {key: cast("Bet", state).status for key, state in states.items()}
        before: dict[int, BetStatus] = {}
        for recorded, event, _ in self.settled:
            key = recorded.stream_id.int
            if type(event) is not BetSettled:
                before[recorded.position] = stands[key]
            stands[key] = "open" if isinstance(event, BetReopened) else event.status
        return before

    def first_events(self, kind: type[E], ids: Mapping[StreamKey, UUID]) -> dict[StreamKey, E]:
        """Give the first events of streams that begin with this type, in this batch or before it."""
        found = {
            key: cast("E", recorded.event)
            for recorded in self.of(kind)
            if (key := recorded.stream_id.int) in ids
        }
        before = self._history.first_events([ids[key] for key in ids.keys() - found.keys()])
        return found | {id_.int: cast("E", event) for id_, event in before.items()}

    @cached_property
    def markets_of_bets(self) -> dict[StreamKey, MarketOpened]:
        """The markets of all legs that were placed or settled in this batch."""
        groups = (*self.placed_groups, *self.settled_groups)
        legs = (leg for group in groups for leg in group.bet.legs)
        return self.first_events(MarketOpened, {leg.market_id.int: leg.market_id for leg in legs})

    # ---- accounts: folded once for all models that show balances

    @cached_property
    def account_events(self) -> list[Recorded]:
        """The events of accounts."""
        return self.of(*ACCOUNT_EVENTS)

    @cached_property
    def accounts(self) -> list[tuple[Recorded, AccountEvent, Account]]:
        """Every event of an account, with the account's state after it."""
        states = fold_states(self.account_events, self._history)
        return cast("list[tuple[Recorded, AccountEvent, Account]]", states)

    @cached_property
    def last_of_accounts(self) -> dict[StreamKey, tuple[Recorded, Account]]:
        """The last event and the state of every account that has events in this batch."""
        return {r.stream_id.int: (r, state) for r, _, state in self.accounts}

    def folds_of(self, *kinds: type[Event]) -> list[tuple[Recorded, Event, State]]:
        """Give every event of these types, all of their streams', with its stream's state after it."""
        return fold_states(self.of(*kinds), self._history)

    # ---- sums over bets that are alike, for the models that only count

    @cached_property
    def placed_groups(self) -> list["Group"]:
        """The bets placed here, by what they are on, currency and day."""
        groups: dict[Any, Group] = {}
        for recorded, bet in self.placed:
            group = _group_of(groups, recorded, bet)
            group.bets += 1
            group.stake_minor += bet.total_stake_minor
            group.potential_return_minor += bet.potential_return_minor
        return list(groups.values())

    @cached_property
    def settled_groups(self) -> list["Group"]:
        """The bets settled here, by what they were on, currency and day of the settlement.

        A bet that is reopened counts -1 with its stakes and its return; one that is settled otherwise adds the
        difference of its return and nothing else. A part that is cashed out counts no bet, but its stake and return.
        """
        groups: dict[Any, Group] = {}
        for recorded, event, bet in self.settled:
            group = _group_of(groups, recorded, bet)
            if isinstance(event, BetResettled):
                group.return_minor += event.difference_minor
                continue
            sign = 1 if type(event) is BetSettled else -1
            group.bets += sign
            group.stake_minor += sign * event.stake_minor
            group.potential_return_minor += (
                sign * (bet if event.standing is None else event.standing).potential_return_minor
            )
            group.settled_stake_minor += sign * event.stake_minor
            group.return_minor += sign * event.return_minor
        for recorded, altered, bet in self.alterations:
            _alter(_group_of(groups, recorded, bet), altered)
        return list(groups.values())


class Group(Struct):
    """Sums over bets like `bet`: same legs but for the odds taken, same currency, kind and side, same day (UTC)."""

    bet: BetPlaced
    day: date
    bets: int = 0
    stake_minor: int = 0
    potential_return_minor: int = 0
    settled_stake_minor: int = 0
    return_minor: int = 0

    @property
    def is_single_back(self) -> bool:
        """Whether these are plain bets for one selection."""
        return self.bet.kind == "single" and self.bet.side == "back"

    @property
    def markets(self) -> dict[StreamKey, UUID]:
        """The markets that these bets are on, each once."""
        return {leg.market_id.int: leg.market_id for leg in self.bet.legs}


def _group_of(groups: dict[Any, Group], recorded: Recorded, bet: BetPlaced) -> Group:
    first = bet.legs[0]
    key: Any = (first.market_id.int, first.selection_id, bet.currency, recorded.at.toordinal())
    if bet.kind != "single" or bet.side != "back" or first.odds is None:
        key = id(bet)
    group = groups.get(key)
    if group is None:
        group = groups[key] = Group(bet, recorded.at.date())
    return group


def _alter(group: Group, event: Alteration) -> None:
    match event:
        case BetPartCashedOut():
            group.stake_minor += event.stake_minor
            group.potential_return_minor += event.potential_return_minor
            group.settled_stake_minor += event.stake_minor
            group.return_minor += event.return_minor
        case BetPartsVoided():
            group.return_minor += event.difference_minor
        case BetRepriced() if not event.is_settled:  # so much less is open, like what is settled
            before, after = event.potential_return_before_minor, event.potential_return_minor
            group.potential_return_minor += before - after
        case _:
            return


def fold_states(
    events: Sequence[Recorded], history: History
) -> list[tuple[Recorded, Event, State]]:
    """Fold all events of some streams onto the states that they follow.

    Raises LookupError when a version is missing: a state must never lack an event below its version.
    """
    firsts = {recorded.stream_id.int: recorded.version - 1 for recorded in reversed(events)}
    states = history.states({key: version for key, version in firsts.items() if version})
    folded: list[tuple[Recorded, Event, State]] = []
    for recorded in events:
        stream_id, event = recorded.stream_id, recorded.event
        key = stream_id.int
        state = evolve(states.get(key), stream_id, event)
        if state.version != recorded.version:
            raise LookupError(
                f"stream {stream_id} at version {state.version}, the log says {recorded.version}"
            )
        states[key] = state
        folded.append((recorded, event, state))
    history.keep(states)
    return folded


def columns(rows: Iterable[Sequence[Any]]) -> list[tuple[Any, ...]]:
    """Turn rows into columns; there is at least one row."""
    return list(zip(*rows, strict=True))
