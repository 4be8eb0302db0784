"""The command line: which subcommand lives in which module."""

import argparse
import importlib
import sys
from collections.abc import Sequence
from typing import NamedTuple, Protocol

from fairbook.settings import SettingsError


class Command(Protocol):
    """What a subcommand's module offers."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the command's options."""

    def run(self, arguments: argparse.Namespace) -> int:
        """Do the work; the answer is the exit status."""
        ...


class Entry(NamedTuple):
    """Where a subcommand lives, and its line in the help."""

    module: str
    help: str


COMMANDS = {
    "up": Entry("fairbook.up", "start everything: servers, API and workers"),
    "api": Entry("fairbook.api", "serve the HTTP API"),
    "project": Entry("fairbook.project", "run projection workers"),
    "handle": Entry("fairbook.handle", "publish the ledger's events, handle what comes over NATS"),
    "rebuild": Entry("fairbook.rebuild", "rebuild a read model beside the live one, then swap"),
    "replay": Entry("fairbook.replay", "fold the whole log and compare it with the read models"),
    "token": Entry("fairbook.token", "print a signed token for local use"),
    "feed": Entry("fairbook.feed", "play recorded prices, or read a live price feed"),
    "import": Entry("fairbook.imports", "import fixtures, results and prices from files"),
    "train": Entry("fairbook.train", "train a model, and hold it against the active one"),
    "models": Entry("fairbook.models", "list models: how good they are, which ones are active"),
    "activate": Entry("fairbook.activate", "let a model speak for its competition"),
    "predict": Entry("fairbook.predict", "say what a model gives matches or a race"),
    "backtest": Entry("fairbook.backtest", "bet on past matches day by day, as a model would have"),
    "evaluate": Entry("fairbook.evaluate", "how good models are, beside the market and peers"),
    "demo": Entry("fairbook.demo.command", "run a season through the API"),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the subcommand that `argv` names (without the program's name); its exit status."""
    words = list(sys.argv[1:] if argv is None else argv)
    parser = argparse.ArgumentParser(
        prog="fairbook",
        description="An event-sourced ledger for betting and trading desks.",
        epilog="`fairbook COMMAND --help` lists a command's options.",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    parsers = {
        name: commands.add_parser(
            name, help=entry.help, description=f"{entry.help[:1].upper()}{entry.help[1:]}."
        )
        for name, entry in COMMANDS.items()
    }
    chosen: Command | None = None
    # Only the chosen module is imported: the help stays instant as commands grow.
    if words and words[0] in COMMANDS:
        chosen = importlib.import_module(COMMANDS[words[0]].module)
        chosen.add_arguments(parsers[words[0]])
    arguments = parser.parse_args(words)
    assert chosen is not None  # parse_args has refused anything else
    try:
        return chosen.run(arguments)
    except SettingsError as error:
        print(f"fairbook {arguments.command}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
