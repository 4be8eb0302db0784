"""A report is one file: it loads nothing, and what it says of others' words is escaped."""

import re
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path

import pytest

from adapters.feeds.site import chromium_path, launched
from adapters.feeds.site_description import SiteError
from application.football.comparison import Bin
from fairbook import plots
from fairbook.cli import main
from fairbook.report import page, table
from tests.builders import NOW
from tests.fairbook.season_files import write_seasons

pytest.importorskip("matplotlib", reason="the extra `predict` is not installed")

LOADS = {"src", "href", "srcset", "data", "poster", "action", "background", "xlink:href"}

try:
    CHROMIUM: Path | None = chromium_path()
except SiteError:
    CHROMIUM = None


class References(HTMLParser):
    """Everything in a page that could load something."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.tags: set[str] = set()
        self.ids: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        for name, value in attrs:
            if name in LOADS and not (value or "").startswith("#"):
                self.found.append(f"{tag} {name}={value}")
            if name == "id":
                self.ids.append(value or "")


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("reports")
    files = [str(file) for file in write_seasons(folder)]
    backtest, evaluation = folder / "backtest.html", folder / "evaluation.html"
    asked = ["--model", "market", "--min-edge", "0", "--html", str(backtest)]
    assert main(["backtest", *files, *asked]) == 0
    asked = ["--league", "X0", "--no-peer", "--no-racing", "--no-times", "--html", str(evaluation)]
    assert main(["evaluate", *files, *asked]) == 0
    return [backtest, evaluation]


def test_a_report_loads_nothing(reports: list[Path]) -> None:
    for report in reports:
        content = report.read_text(encoding="utf-8")
        references = References()
        references.feed(content)
        assert references.found == []
        assert not references.tags & {"script", "link", "img", "iframe", "object", "embed"}
        assert not re.search(r"https?:|url\((?!#)|@import", content)
        assert {"svg", "table", "title"} <= references.tags


def test_drawings_take_the_colours_of_the_page(reports: list[Path]) -> None:
    for report in reports:
        content = report.read_text(encoding="utf-8")
        assert "currentColor" in content
        assert "var(--line)" in content
        assert plots.INK not in content
        assert "prefers-color-scheme: dark" in content


def test_a_backtest_shows_its_bankroll_and_its_drawdown(reports: list[Path]) -> None:
    content = reports[0].read_text(encoding="utf-8")
    for words in ("settled bankroll", "drawdown from the peak", "CLV", "best opening prices"):
        assert words in content
    assert content.count("<svg") == 2


def test_an_evaluation_shows_reliability_and_seasons(reports: list[Path]) -> None:
    content = reports[1].read_text(encoding="utf-8")
    for words in ("RPS by season", "reliability", "opening odds", "Targets"):
        assert words in content


def test_what_others_wrote_is_escaped() -> None:
    evil = "<script>alert('x')</script>"
    made = page(evil, [table((evil,), [(evil,)])])
    assert "<script" not in made
    assert made.count("&lt;script&gt;") == 4


def test_names_in_drawings_are_escaped_and_no_formulas() -> None:
    bins = (Bin(0.2, 0.3, 0.1, 0.5, 10), Bin(0.6, 0.5, 0.4, 0.7, 10))
    drawn = plots.reliability({"<b>$x^2$</b>": bins})
    assert "<b>" not in drawn
    assert "$x^2$" in drawn
    assert plots.over_time([(NOW, 1.0), (NOW + timedelta(days=9), 2.0)], "EUR").count("<svg") == 1


@pytest.mark.anyio
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
async def test_a_browser_shows_a_report_and_asks_nobody_for_anything(reports: list[Path]) -> None:
    assert CHROMIUM is not None
    async with launched(CHROMIUM) as browser:
        tab = await browser.new_page(color_scheme="dark")
        asked: list[str] = []
        tab.on("request", lambda request: asked.append(request.url))
        for report in reports:
            asked.clear()
            await tab.goto(report.as_uri())
            assert asked == [report.as_uri()]
            boxes = await tab.eval_on_selector_all(
                "svg", "all => all.map(each => each.getBoundingClientRect().width)"
            )
            assert boxes
            assert min(boxes) > 300
            ink = await tab.eval_on_selector("svg text", "text => getComputedStyle(text).fill")
            assert ink == "rgb(228, 231, 234)"  # as light as the page's own text in the dark
