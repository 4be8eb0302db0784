"""What `fairbook feed` shows: how far it is, what became of the prices, and what was left out and why."""

from types import TracebackType
from typing import Final, Self

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from application.feeds import Feed
from application.fixture_names import FixtureNames
from application.intake import Intake
from fairbook.credentials import NEEDED, FeedCredentials

UNMATCHED_SHOWN: Final = 20
RECORDINGS: Final = {
    "betfair": "lines of the stream, also packed (.bz2, .gz, .xz)",
    "the-odds-api": "an answer, or one in each line",
    "pinnacle": "answers, one in each line",
    "football-data": "season files (.csv), also several",
    "quotes-csv": "recorded quotes (.csv), any bookmakers",
}


class Report:
    """A line that moves while a feed is read, and tables at the end."""

    def __init__(self, console: Console, feed: Feed, intake: Intake, names: FixtureNames) -> None:
        """Show on this console."""
        self._console = console
        self._feed = feed
        self._intake = intake
        self._names = names
        self._bar = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            TimeElapsedColumn(),
            console=console,
        )
        self._task = self._bar.add_task(feed.name, total=None)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.tick()
        self._bar.stop()

    def tick(self) -> None:
        """Show how far it is."""
        tally = self._intake.tally
        self._bar.update(
            self._task,
            description=f"{self._feed.name}: {tally.prices} prices, {tally.published} messages published",
        )

    def note(self, text: str) -> None:
        """Say something besides."""
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)

    def conclude(self) -> None:
        """Show what was left out, and why."""
        self.note(self._line())
        health, tally = self._feed.health, self._intake.tally
        for reason, count in health.rejections.counts.most_common():
            examples = "; ".join(health.rejections.examples[reason])
            self.note(f"  rejected {count}: {reason} ({examples})")
        for note, count in health.notes.most_common():
            self.note(f"  noted {count}: {note}")
        if tally.left_out:
            self.note(f"  left out {tally.left_out}: batches that came while the ledger was away")
        if tally.unknown_selections:
            self.note(
                f"  left out {tally.unknown_selections}: prices of selections that their markets do not have"
            )
        for market, why in list(self._intake.refusals.items())[:UNMATCHED_SHOWN]:
            self.note(f"  not opened: {market}: {why}")
        unmatched = list(self._names.unmatched.values())
        for event in unmatched[:UNMATCHED_SHOWN]:
            self.note(
                f"  no fixture is certain: {event.name}, {event.starts_at:%Y-%m-%d %H:%M} UTC"
            )
        if unmatched:
            self.note(
                f"  {len(unmatched)} names wait for an operator: GET /v1/feed-names?status=unmatched, "
                "then POST /v1/feed-names/{name_id}/match"
            )

    def _line(self) -> str:
        tally, health = self._intake.tally, self._feed.health
        line = (
            f"{self._feed.name}: {tally.batches} batches, {tally.prices} prices, "
            f"{tally.published} messages published, {tally.unchanged} without news, "
            f"{health.rejections.total} rejected, {tally.unmatched} unmatched; "
            f"{tally.fixtures_begun} fixtures begun, {tally.markets_opened} markets opened"
        )
        if health.success_rate is not None and (
            health.success_rate < 1 or health.breaker != "closed"
        ):
            line += f"; {health.success_rate:.0%} of attempts succeeded, breaker {health.breaker}"
        return line


def show_feeds(console: Console, credentials: FeedCredentials) -> None:
    """Show every feed, whether it can be read live here, and what can be played of it."""
    table = Table("feed", "live", "recorded")
    for name, recorded in RECORDINGS.items():
        live = "–"
        if name in NEEDED:
            missing = credentials.missing(name)
            live = f"needs {', '.join(missing)}" if missing else "ready"
        table.add_row(name, live, recorded)
    console.print(table)
