"""Reports as one HTML file: tables and drawings in it, nothing loaded from anywhere, readable in dark and in light."""

from collections.abc import Iterable, Sequence
from html import escape
from typing import TYPE_CHECKING, Final

from application.football.comparison import (
    CLOSING,
    ELO,
    GOALS,
    OPENING,
    PEER,
    STACK,
    Comparison,
)
from fairbook import plots
from fairbook.backtest import (
    Backtest,
    amount,
    outcome_lines,
    summary_cells,
    summary_columns,
)
from fairbook.targets import interval, met_in_words

if TYPE_CHECKING:
    from fairbook.evaluate import Evaluation

_STYLE: Final = """
:root { color-scheme: light dark; --ink: #1c1f23; --paper: #ffffff; --line: #9aa3ad; --faint: #f1f3f5; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e4e7ea; --paper: #16181b; --line: #6f7780; --faint: #22262a; }
}
body { margin: 2rem auto; max-width: 62rem; padding: 0 1rem; color: var(--ink); background: var(--paper);
  font: 16px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2.5rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: .875rem; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .25rem .75rem .25rem 0; border-bottom: 1px solid var(--faint); vertical-align: top; }
th { border-bottom-color: var(--line); }
tr.first td { border-top: 1px solid var(--line); }
figure { margin: 1rem 0; color: var(--ink); } svg { width: 100%; height: auto; max-width: 46rem; }
figcaption, .note { font-size: .875rem; opacity: .8; }
.yes { color: #2f8f4e; font-weight: 600; } .no { color: #cc4b47; font-weight: 600; }
pre { overflow-x: auto; background: var(--faint); padding: .75rem; font-size: .8125rem; }
"""

SHOWN: Final = (GOALS, OPENING, CLOSING, PEER)
BETS_SHOWN: Final = 200


def evaluation_page(found: "Evaluation") -> str:
    """Write an evaluation: targets, losses by league and season, reliability, the stack, racing."""
    body = [
        _heading("Targets"),
        table(
            ("what", "reference", "aim", "measured", "met"),
            [
                (each.what, each.reference, each.aim, each.measured, met_in_words(each))
                for each in found.targets
            ],
        ),
        _paragraphs(found.notes),
        _heading("From results only, beside the odds"),
        *_comparison(found.results_only, (*SHOWN, ELO)),
    ]
    if found.stack is not None:
        learned = [
            f"Stack of {each.season}: market^{each.market:.3f} · model^{each.model:+.3f}, "
            f"learned from {each.learned_from:,} matches."
            for each in found.stacked
        ]
        body += [
            _heading("Stacked with opening prices"),
            _paragraphs(learned),
            *_comparison(found.stack, (STACK, OPENING, CLOSING)),
        ]
    if found.racing is not None:
        drawn = plots.reliability({"racing stack": found.racing.reliability})
        body += [
            _heading("Racing"),
            _figure(drawn, "reliability of the chances to win, with 95% intervals"),
            f"<pre>{escape(chr(10).join(found.racing.lines))}</pre>",
        ]
    return page(f"Predictions, held out {found.held_out}", body)


def backtest_page(found: Backtest) -> str:
    """Write a backtest: its figures, the bankroll and its drawdown over time, and the first bets."""
    report, currency = found.report, found.options.currency
    rows: list[Sequence[str]] = []
    for group in (report.by_league, report.by_season, report.by_market, (report.total,)):
        rows += [summary_cells(summary, currency) for summary in group]
    body = [
        _paragraphs((found.note, *outcome_lines(found))),
        table(summary_columns(currency), rows),
    ]
    if found.curve:
        peak, bankroll, below = 0, [], []
        for point in found.curve:
            peak = max(peak, point.bankroll_minor)
            units = float(amount(point.bankroll_minor, currency).replace(",", ""))
            bankroll.append((point.at, units))
            below.append((point.at, 100 * (point.bankroll_minor / peak - 1) if peak else 0.0))
        body += [
            _heading("Bankroll"),
            _figure(plots.over_time(bankroll, currency), "settled bankroll"),
            _figure(
                plots.over_time(below, "% below the peak", filled_to=0), "drawdown from the peak"
            ),
        ]
    bets = [
        (
            f"{market.starts_at:%Y-%m-%d}",
            market.league,
            market.fixture,
            market.type,
            bet.selection_id,
            bet.bookmaker,
            f"{bet.odds}",
            f"{bet.probability:.3f}",
            amount(bet.stake_minor, currency),
            bet.result,
            amount(bet.return_minor, currency),
        )
        for market in found.markets[:BETS_SHOWN]
        for bet in market.bets
    ]
    if bets:
        shown = min(len(found.markets), BETS_SHOWN)
        body += [
            _heading(f"Bets on the first {shown} of {len(found.markets)} markets"),
            table(
                (
                    "day",
                    "league",
                    "match",
                    "market",
                    "selection",
                    "bookmaker",
                    "odds",
                    "probability",
                    "stake",
                    "result",
                    "return",
                ),
                bets,
            ),
        ]
    return page("Backtest", body)


def page(title: str, body: Iterable[str]) -> str:
    """Write a page of parts that are HTML already."""
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        f"<h1>{escape(title)}</h1>\n" + "\n".join(body) + "\n</body>\n</html>\n"
    )


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Write a table of texts, escaped; a row whose first cell is filled begins a group."""
    head = "".join(f"<th>{escape(column)}</th>" for column in columns)
    lines = []
    for row in rows:
        cells = "".join(f"<td{_class_of(cell)}>{escape(cell)}</td>" for cell in row)
        first = ' class="first"' if row[0] else ""
        lines.append(f"<tr{first}>{cells}</tr>")
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{"".join(lines)}</tbody></table></div>'


def _comparison(comparison: Comparison, shown: Sequence[str]) -> list[str]:
    lines = comparison.lines
    rows, before = [], None
    for line in lines:
        here = line.league, line.season
        head = (line.league, line.season, f"{line.matches:,}") if here != before else ("", "", "")
        figures = (f"{line.rps:.4f}", f"{line.log_loss:.4f}", f"{line.brier:.4f}")
        rows.append((*head, str(line.rank), line.forecaster, *figures))
        before = here
    series: dict[str, list[tuple[str, float]]] = {}
    for line in lines:
        if line.league == "all" and line.season != "all" and line.forecaster in shown:
            series.setdefault(line.forecaster, []).append((line.season, line.rps))
    # In their own order, so that a forecaster has the same colour everywhere.
    series = {name: series[name] for name in shown if name in series}
    curves = {name: bins for name, bins in comparison.reliability.items() if name in shown[:2]}
    gaps = [
        (gap.where, f"{gap.matches:,}", gap.loss, gap.one, gap.other, interval(gap.difference))
        for gap in comparison.gaps
    ]
    return [
        _figure(plots.by_season(series, "RPS, all leagues"), "RPS by season; lower is better"),
        _figure(
            plots.reliability(curves), "reliability of all probabilities said, with 95% intervals"
        ),
        table(
            ("league", "season", "matches", "rank", "forecaster", "RPS", "log loss", "Brier"), rows
        ),
        _heading("Differences (below 0: the first is better)"),
        table(("where", "matches", "loss", "first", "second", "difference [95%]"), gaps),
    ]


def _heading(text: str) -> str:
    return f"<h2>{escape(text)}</h2>"


def _paragraphs(texts: Iterable[str]) -> str:
    return "".join(f'<p class="note">{escape(text)}</p>' for text in texts)


def _figure(drawing: str, caption: str) -> str:
    return f"<figure>{drawing}<figcaption>{escape(caption)}</figcaption></figure>"


def _class_of(cell: str) -> str:
    return {"yes": ' class="yes"', "NO": ' class="no"'}.get(cell, "")
