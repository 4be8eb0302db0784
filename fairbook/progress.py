"""A bar that shows how far a pass over the log is."""

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
