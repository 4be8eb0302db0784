"""Plots as SVG to be put into a page: no fonts, no references, colours that follow the page's."""

import io
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from application.football.comparison import Bin

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INK, FAINT = "#010203", "#040506"
COLOURS: Final = ("#3b82c4", "#d9822b", "#3a9d5d", "#c4524f", "#8a63c4", "#a0785a", "#6b7f94")
"""Readable on white and on black."""

_UNUSED_ID: Final = re.compile(r' id="[A-Za-z]+_?[0-9]*(?:_[0-9]+)?"')
_SIZE: Final = (7.2, 4.0)


class PlotsMissing(Exception):  # noqa: N818  it is no fault of the program
    """Without matplotlib there are no plots; the message says what to do."""


def reliability(curves: Mapping[str, Sequence[Bin]]) -> str:
    """Draw how often forecasts of a probability came true; on the diagonal they mean what they say."""

    def draw(axes: "Axes") -> None:
        axes.plot([0, 1], [0, 1], color=FAINT, linewidth=1, linestyle="--")
        for colour, (name, bins) in zip(_colours(), curves.items(), strict=False):
            said = [each.said for each in bins]
            happened = [each.happened for each in bins]
            below = [max(each.happened - each.low, 0.0) for each in bins]
            above = [max(each.high - each.happened, 0.0) for each in bins]
            axes.errorbar(
                said,
                happened,
                yerr=[below, above],
                color=colour,
                linewidth=1.4,
                elinewidth=0.7,
                marker="o",
                markersize=3,
                label=name,
            )
        axes.set_xlabel("probability said")
        axes.set_ylabel("share that happened")
        axes.legend(frameon=False, labelcolor=INK)

    return _svg(draw)


def by_season(series: Mapping[str, Sequence[tuple[str, float]]], what: str) -> str:
    """Draw a figure by season, a line a forecaster."""

    def draw(axes: "Axes") -> None:
        for colour, (name, points) in zip(_colours(), series.items(), strict=False):
            axes.plot(
                [season for season, _ in points],
                [value for _, value in points],
                color=colour,
                linewidth=1.4,
                marker="o",
                markersize=4,
                label=name,
            )
        axes.set_ylabel(what)
        axes.legend(frameon=False, labelcolor=INK)

    return _svg(draw)


def over_time(
    points: Sequence[tuple[datetime, float]], what: str, *, filled_to: float | None = None
) -> str:
    """Draw steps over time, such as a bankroll; `filled_to` fills up to a level, such as a drawdown's 0."""

    def draw(axes: "Axes") -> None:
        times = [at for at, _ in points]
        values = [value for _, value in points]
        axes.plot(times, values, color=COLOURS[0], linewidth=1.2, drawstyle="steps-post")  # type: ignore[arg-type]  # times are points, too
        if filled_to is not None:
            axes.fill_between(
                times,  # type: ignore[arg-type]  # (the same)
                values,
                filled_to,
                step="post",
                color=COLOURS[0],
                alpha=0.25,
                linewidth=0,
            )
        axes.set_ylabel(what)
        axes.tick_params(axis="x", labelrotation=20)

    return _svg(draw)


def _colours() -> tuple[str, ...]:
    return COLOURS * 2


def _svg(draw: Callable[["Axes"], None]) -> str:
    """Draw on axes without a display, and make the page's own colours of ink and grid."""
    try:
        import matplotlib as mpl
        from matplotlib.backends.backend_svg import FigureCanvasSVG
        from matplotlib.figure import Figure
    except ImportError as error:
        raise PlotsMissing(
            "plots need the extra `predict` (matplotlib): `make install` installs it"
        ) from error
    style: Any = {
        "svg.fonttype": "none",  # text stays text, in the page's font
        "svg.hashsalt": "fairbook",  # the same drawing has the same ids
        "text.parse_math": False,
        "font.family": "sans-serif",
        "text.color": INK,
        "axes.labelcolor": INK,
        "axes.edgecolor": FAINT,
        "xtick.color": INK,
        "ytick.color": INK,
        "axes.grid": True,
        "grid.color": FAINT,
        "grid.linewidth": 0.4,
        "axes.spines.top": False,
        "axes.spines.right": False,
    }
    with mpl.rc_context(style):
        figure = Figure(figsize=_SIZE, layout="constrained")
        FigureCanvasSVG(figure)
        draw(figure.add_subplot())
        file = io.StringIO()
        nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        figure.savefig(file, format="svg", transparent=True, metadata=nothing)
    drawn = file.getvalue()
    drawn = drawn[drawn.index("<svg") :]  # without the prolog, whose DTD is an outside address
    # Several drawings in a page would share these ids; those that are referred to are hashes.
    drawn = _UNUSED_ID.sub("", drawn)
    drawn = re.sub(r'<svg [^>]*?viewBox="([^"]*)"[^>]*>', r'<svg viewBox="\1" role="img">', drawn)
    drawn = drawn.replace("xlink:href", "href")
    return drawn.replace(INK, "currentColor").replace(FAINT, "var(--line)")
