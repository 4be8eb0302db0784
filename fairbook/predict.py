"""`fairbook predict`: what a model says of matches or of a race, kept in the ledger."""

import argparse
import asyncio
import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final
from uuid import UUID

from rich.console import Console
from rich.table import Table

from application.football.training import rounded
from application.log import LogUnavailable
from domain.events.prediction import Chance, MarketChances, PredictionMade
from domain.market import Market
from domain.model import Model
from domain.names import normalise
from domain.refusals import (
    FixtureNotFound,
    InvalidInput,
    MarketNotFound,
    ModelNotFound,
    NotOffered,
    Refusal,
    SelectionNotInMarket,
)
from fairbook.model_desk import Loaded, ModelDesk, by_fixture, model_desk
from fairbook.settings import Settings
from fairbook.train import RACING_SCOPE
from read_models import models, results

if TYPE_CHECKING:
    from application.racing.model import RaceChances
    from domain.prediction.racing.races import Race

DONE, SOME_REFUSED, FAILED = 0, 1, 2
PLACES: Final = {2: "first_two", 3: "first_three"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare this command's options."""
    kinds = parser.add_subparsers(dest="kind", required=True, metavar="KIND")
    football = kinds.add_parser("football", help="the markets of matches that scores decide")
    which = football.add_mutually_exclusive_group(required=True)
    which.add_argument("fixture", nargs="?", type=UUID, metavar="FIXTURE", help="its id")
    which.add_argument(
        "--all",
        action="store_true",
        help="every coming fixture of a competition with an active model",
    )
    racing = kinds.add_parser("racing", help="the runners of a race")
    racing.add_argument(
        "--card",
        required=True,
        type=Path,
        metavar="FILE",
        help="the race as JSON (docs/predictions-racing.md)",
    )
    racing.add_argument(
        "--market",
        type=UUID,
        metavar="MARKET",
        help="keep it as a prediction of this WIN or PLACE market",
    )
    racing.add_argument("--without-odds", action="store_true", help="leave the card's odds aside")
    for each in (football, racing):
        each.add_argument("--model", type=UUID, help="which model (default: the active one)")


def run(arguments: argparse.Namespace) -> int:
    """Predict: 0 when done, 1 when some fixtures were refused, 2 when it failed."""
    settings = Settings.from_environment()
    settings.require_database_url()
    work = _football if arguments.kind == "football" else _racing
    try:
        return asyncio.run(work(arguments, settings))
    except (Refusal, LogUnavailable, OSError) as error:
        print(f"fairbook predict: {error}", file=sys.stderr)
        return FAILED


# ---- football


async def _football(arguments: argparse.Namespace, settings: Settings) -> int:
    console = Console() if sys.stdout.isatty() else Console(width=140)
    async with model_desk(settings) as desk:
        if arguments.all:
            return await _all(desk, arguments.model, console)
        markets = await results.of_fixture(desk.reader, arguments.fixture)
        if not markets:
            raise FixtureNotFound(
                f"no football market that scores decide is on {arguments.fixture}"
            )
        loaded = await _loaded(desk, arguments.model, markets[0].fixture.competition)
        found = desk.predict(loaded, markets[0].fixture, markets)
        for market_id, why in found.refused.items():
            console.print(f"market {market_id}: {why}")
        if found.made is None:
            return FAILED
        new = await desk.record([found.made])
        _show(console, markets[0].fixture.name, found.made)
        console.print("kept in the ledger" if new else "said before: nothing new to keep")
        return SOME_REFUSED if found.refused else DONE


async def _all(desk: ModelDesk, model_id: UUID | None, console: Console) -> int:
    rows = await models.active(desk.reader)
    chosen = [
        await desk.model(row.model_id)
        for row in rows
        if row.kind == "football.goals" and model_id is None
    ]
    if model_id is not None:
        chosen = [await desk.model(model_id)]
    if not chosen:
        raise ModelNotFound("no football model is active: `fairbook train football --activate`")
    made, refused = 0, 0
    for model in chosen:
        loaded = desk.load(model)
        trained = model.trained
        markets = await results.to_predict(
            desk.reader, model.model_id, trained.scope, trained.data.until
        )
        for fixture, its in by_fixture(markets):
            try:
                found = desk.predict(loaded, fixture, its)
            except Refusal as refusal:
                console.print(f"{fixture.name}: {refusal.detail}")
                refused += 1
                continue
            if found.made is not None:
                made += await desk.record([found.made])
    console.print(f"{made} fixtures predicted, {refused} refused")
    return SOME_REFUSED if refused else DONE


async def _loaded(desk: ModelDesk, model_id: UUID | None, scope: str) -> Loaded:
    model = await desk.model(model_id) if model_id else await desk.active("football.goals", scope)
    if model is None:
        raise ModelNotFound(f"no football model of {scope!r} is active: train one, or name one")
    return desk.load(model)


def _show(console: Console, name: str, made: PredictionMade) -> None:
    table = Table("market", "selection", "probability", "95%", "fair odds", title=name)
    for market in made.markets:
        kind = market.type + ("" if market.line is None else f" {market.line}")
        for each in market.chances:
            fair = f"{1 / each.probability:.3f}" if each.probability else "–"
            interval = f"{each.low:.4f} to {each.high:.4f}"
            table.add_row(kind, each.selection_id, f"{each.probability:.4f}", interval, fair)
    console.print(table)


# ---- racing


async def _racing(arguments: argparse.Namespace, settings: Settings) -> int:
    console = Console() if sys.stdout.isatty() else Console(width=140)
    async with model_desk(settings) as desk:
        model = (
            await desk.model(arguments.model)
            if arguments.model
            else await desk.active("racing.logit", RACING_SCOPE)
        )
        if model is None:
            raise ModelNotFound("no racing model is active: `fairbook train racing --activate`")
        content = desk.artefacts.get(model.trained.artefact)
        with_market = not arguments.without_odds
        race, chances = race_chances(content, arguments.card.read_bytes(), with_market=with_market)
        table = Table("number", "horse", "win", "95%", "fair odds", "first two", "first three")
        for runner in chances.runners:
            win = runner.win
            table.add_row(
                str(runner.number or ""),
                runner.horse,
                f"{win.mean:.4f}",
                f"{win.low:.4f} to {win.high:.4f}",
                f"{1 / win.mean:.2f}" if win.mean else "–",
                f"{runner.first_two.mean:.4f}",
                f"{runner.first_three.mean:.4f}",
            )
        console.print(table)
        if arguments.market:
            market = await desk.market(arguments.market)
            if market is None:
                raise MarketNotFound
            known_at = odds_known_at(race) if with_market else None
            new = await desk.record([race_prediction(model, chances, market, known_at)])
            console.print("kept in the ledger" if new else "said before: nothing new to keep")
    return DONE


def race_chances(content: bytes, card: bytes, *, with_market: bool) -> "tuple[Race, RaceChances]":
    """Give a card's race and what a racing model says of it; raises Refusal, OSError where the extra is missing."""
    from adapters.learners.lightgbm_library import LearnerMissingError
    from adapters.learners.racing import racing_readers
    from application.racing.model import racing_from_bytes
    from domain.prediction.racing.races import card_from_json

    try:
        model = racing_from_bytes(content, racing_readers())
        race = card_from_json(card)
        return race, model.chances(race, with_market=with_market)
    except LearnerMissingError as error:
        raise OSError(str(error)) from error


def odds_known_at(race: "Race") -> datetime:
    """Give when the card's odds were known; those without a time are final odds, which nobody knows before the start."""
    if race.odds_at is None:
        raise InvalidInput(
            "the card does not say when its odds were known: add odds_at, or ask --without-odds",
            field="odds_at",
        )
    return race.odds_at


def race_prediction(
    model: Model, chances: "RaceChances", market: Market, odds_at: datetime | None
) -> PredictionMade:
    """Say it of a WIN or PLACE market, whose selections are found by the names of the horses.

    It is as of the model's last races, or of the odds that it has used. Raises NotOffered for other markets, SelectionNotInMarket for a runner that is none.
    """
    member = "win"
    if market.type == "PLACE":
        places = market.terms.each_way_places if market.terms else None
        if places not in PLACES:
            raise NotOffered("a PLACE market with 2 or 3 places is predicted")
        member = PLACES[places]
    elif market.type != "WIN":
        raise NotOffered(f"a {market.type} market of a race is not predicted")
    if market.fixture.fixture_id is None:
        raise InvalidInput("the market's fixture has no id", field="fixture")
    by_name = {normalise(name): selection_id for selection_id, name in market.selections.items()}
    said = []
    for runner in chances.runners:
        selection_id = by_name.get(normalise(runner.horse))
        if selection_id is None:
            raise SelectionNotInMarket(f"the market has no runner {runner.horse!r}")
        found = getattr(runner, member)
        mean = rounded(found.mean)
        said.append(
            Chance(
                selection_id, mean, min(rounded(found.low), mean), max(rounded(found.high), mean)
            )
        )
    return PredictionMade(
        model_id=model.model_id,
        fixture_id=market.fixture.fixture_id,
        as_of=max(model.trained.data.until, odds_at) if odds_at else model.trained.data.until,
        markets=(MarketChances(market.market_id, market.type, market.line, tuple(said)),),
    )
