"""`fairbook models`: what has been trained, how good it was found, and what is active."""

import argparse
import asyncio
import sys
from typing import Final

from rich.console import Console
from rich.table import Table

from adapters.postgres.reader import Reader
from application.log import LogUnavailable
from fairbook.database import answering_database_url
from fairbook.settings import Settings
from fairbook.train import competition_of
from read_models import models
from read_models.models import ModelRow

NONE: Final = "no model has been trained: `fairbook train` does it"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare this command's options."""
    parser.add_argument("--scope", metavar="E0", help="of one competition")
    parser.add_argument("--active", action="store_true", help="those that speak for their slots")
    parser.add_argument("--limit", type=int, default=50, help="the latest so many (default: 50)")


def run(arguments: argparse.Namespace) -> int:
    """List models: 0 when done, 2 when the views could not be read."""
    settings = Settings.from_environment()
    try:
        rows = asyncio.run(_rows(arguments, settings))
    except LogUnavailable as error:
        print(f"fairbook models: {error}", file=sys.stderr)
        return 2
    console = Console() if sys.stdout.isatty() else Console(width=160)
    table = Table(
        "model", "kind", "scope", "learned until", "rows", "log loss", "vs. another", "active since"
    )
    for row in rows:
        table.add_row(*_cells(row))
    asked = arguments.scope or arguments.active
    none = "no such model: `fairbook models` lists all" if asked else NONE
    console.print(table if rows else none)
    return 0


async def _rows(arguments: argparse.Namespace, settings: Settings) -> list[ModelRow]:
    reader = Reader(await asyncio.to_thread(answering_database_url, settings), pool_size=1)
    try:
        await reader.open()
        page = await models.page(
            reader,
            scope=competition_of(arguments.scope) if arguments.scope else None,
            active=True if arguments.active else None,
            limit=max(1, arguments.limit),
        )
    finally:
        await reader.close()
    return list(page.items)


def _cells(row: ModelRow) -> tuple[str, ...]:
    gaps = [each.difference for each in row.evaluations if each.difference is not None]
    gap = gaps[-1] if gaps else None
    loss = row.metrics.get("log_loss")
    return (
        str(row.model_id),
        row.kind,
        row.scope,
        f"{row.data.until:%Y-%m-%d %H:%M}",
        f"{row.data.rows:,}",
        "" if loss is None else f"{loss:.4f}",
        "" if gap is None else f"{gap.mean:+.4f} [{gap.low:+.4f}, {gap.high:+.4f}]",
        f"{row.active_since:%Y-%m-%d %H:%M}" if row.active_since else "",
    )
