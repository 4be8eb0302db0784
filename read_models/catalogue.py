"""All read models by name."""

from typing import Final

from read_models import (
    arbitrages,
    balances,
    bets,
    betting_totals,
    exposure,
    feed_names,
    journal,
    markets,
    models,
    performance,
    predictions,
    prices,
    statement,
    value_signals,
)
from read_models.projection import Projection

READ_MODELS: Final[dict[str, Projection]] = {
    module.PROJECTION.name: module.PROJECTION
    for module in (
        balances,
        statement,
        bets,
        markets,
        journal,
        exposure,
        betting_totals,
        performance,
        prices,
        arbitrages,
        feed_names,
        models,
        predictions,
        value_signals,
    )
}
