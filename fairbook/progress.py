"""Bars that show how far a pass over the log, or other long work, is."""

import contextlib
from collections.abc import Callable, Iterator

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn


@contextlib.contextmanager
def events_bar(console: Console, title: str) -> Iterator[Callable[[int, int], None]]:
    """Show a bar; the function given out takes the position that is done and the one to reach."""
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("events"),
        TimeElapsedColumn(),
        console=console,
    )
    with bar:
        task = bar.add_task(title, total=None)

        def show(position: int, goal: int) -> None:
            bar.update(task, completed=position, total=goal)

        yield show


@contextlib.contextmanager
def share_bar(console: Console, title: str) -> Iterator[Callable[[str, float], None]]:
    """Show a bar; the function given out takes what is being done, empty for the title, and the share of all that is done."""
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:3.0f} %"),
        TimeElapsedColumn(),
        console=console,
    )
    with bar:
        task = bar.add_task(title, total=1.0)

        def show(what: str, share: float) -> None:
            bar.update(task, completed=share, description=f"{title}: {what}" if what else title)

        yield show
