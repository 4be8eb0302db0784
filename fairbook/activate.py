"""`fairbook activate`: a model speaks for its slot from now on."""

import argparse
import asyncio
import sys
from uuid import UUID

from application.log import LogUnavailable
from domain.refusals import ModelWorse, Refusal
from fairbook.model_desk import model_desk
from fairbook.settings import Settings

DONE, REFUSED, FAILED = 0, 1, 2


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare this command's options."""
    parser.add_argument(
        "model", type=UUID, metavar="MODEL", help="its id: `fairbook models` lists them"
    )
    parser.add_argument("--force", action="store_true", help="also when it is worse; say why")
    parser.add_argument("--reason", help="why, kept in the ledger")


def run(arguments: argparse.Namespace) -> int:
    """Activate: 0 when it is active, 1 when it is worse than the active one, 2 when it could not be."""
    settings = Settings.from_environment()
    try:
        print(asyncio.run(_activate(arguments, settings)))
    except (Refusal, LogUnavailable) as error:
        print(f"fairbook activate: {error}", file=sys.stderr)
        if isinstance(error, ModelWorse):
            print("--force --reason WHY activates it all the same", file=sys.stderr)
            return REFUSED
        return FAILED
    return DONE


async def _activate(arguments: argparse.Namespace, settings: Settings) -> str:
    async with model_desk(settings) as desk:
        used = await desk.activate(arguments.model, force=arguments.force, reason=arguments.reason)
        model = (await desk.model(arguments.model)).trained
    before = "" if used.before is None else f", before {used.before}"
    return f"{used.model_id} speaks for {model.kind.partition('.')[0]}, {model.scope}{before}"
