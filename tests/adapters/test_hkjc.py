import gzip
import os
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.hkjc import HkjcError, Rejected, ResultsFile, parse_results, read_results
from domain.prediction.racing.race_table import race_table
from domain.prediction.racing.races import Finish, Going, Race, Runner

DATA = Path(os.environ.get("FAIRBOOK_DATA", Path(__file__).parents[2] / "../shared/data"))
FILE = DATA / "racing" / "hkjc_2016_2024.csv.gz"
LINES_READ = 4000

HEADER = (
    "date,venue,race_no,race_meeting_no,race_name,race_class,distance_m,rating_range,going,course,"
    "prize_hkd,race_finish_time,sectional_times_header,place,horse_no,horse_name,jockey,trainer,"
    "actual_wt_lbs,declared_wt_lbs,draw,lbw,running_position,finish_time,win_odds\n"
)
RACE = (
    '2023-09-10,沙田,1,1,讓賽,第五班,1400,40-0,好地,"草地 - ""B+2"" 賽道",875000,'
    "(13.79) (35.93) (59.42) (1:23.30),13.79 22.14 23.49 23.88,"
)
FIRST = "1,12,通勝 (S246),郭能,方嘉柏,123,990,3,-,4 3 3 1,1:23.30,6.4\n"
SECOND = "2,11,領先直前 (S193),梁家俊,何良,121,1045,10,頭位,10 10 10 2,1:23.33,8\n"


def parse(*runners: str, race: str = RACE) -> ResultsFile:
    return parse_results((HEADER + "".join(race + runner for runner in runners)).encode())


def test_a_race_carries_its_card_and_its_result() -> None:
    found = parse(FIRST, SECOND)
    assert found.rejected == ()
    assert found.races == (
        Race(
            race_id="HK/2023-09-10/Sha Tin/1",
            day=date(2023, 9, 10),
            number=1,
            venue="Sha Tin",
            surface="turf",
            going=Going.GOOD,
            rail="B+2",
            distance_m=1400,
            race_class=5,
            prize=875000.0,
            sections=(13.79, 22.14, 23.49, 23.88),
            odds_at=None,  # final odds: known at the off
            runners=(
                Runner(
                    horse="通勝 (S246)",
                    jockey="郭能",
                    trainer="方嘉柏",
                    weight_lbs=123.0,
                    body_lbs=990.0,
                    draw=3,
                    number=12,
                    odds=6.4,
                    finish=Finish(1, 83.3, (4, 3, 3, 1)),
                ),
                Runner(
                    horse="領先直前 (S193)",
                    jockey="梁家俊",
                    trainer="何良",
                    weight_lbs=121.0,
                    body_lbs=1045.0,
                    draw=10,
                    number=11,
                    odds=8.0,
                    finish=Finish(2, 83.33, (10, 10, 10, 2)),
                ),
            ),
        ),
    )


def test_a_dead_heat_shares_the_win() -> None:
    third = SECOND.replace("2,11,領先直前 (S193)", "3,9,第三 (S1)").replace(",10,頭位", ",4,頭位")
    race = parse(
        FIRST.replace("1,12", "1 平頭馬,12"), SECOND.replace("2,11", "1 平頭馬,11"), third
    ).races[0]
    assert race.won().tolist() == [0.5, 0.5, 0.0]


def test_the_withdrawn_are_counted_and_did_not_run() -> None:
    found = parse(
        FIRST,
        SECOND,
        "WV,,手到拿來 (P396),巫斯義,容天鵬,122,---,---,---,---,---,---\n",
        "WX-A,3,綫路明星 (N220),巫斯義,容天鵬,126,---,---,---,---,---,---\n",
    )
    assert found.withdrawn == 2
    assert len(found.races[0].runners) == 2
    assert found.rejected == ()


def test_who_was_pulled_up_ran_and_has_no_place() -> None:
    race = parse(FIRST, SECOND, "PU,1,寶貝王 (P351),潘頓,何良,133,1137,5,---,4 5,---,6.4\n").races[
        0
    ]
    assert race.runners[2].finish == Finish(None, None, (4, 5))


def test_races_above_all_classes_are_class_0_and_may_lack_a_distance() -> None:
    race = parse(FIRST, SECOND, race=RACE.replace("第五班,1400", ",")).races[0]
    assert (race.race_class, race.distance_m) == (0, None)


def test_the_all_weather_track_is_dirt() -> None:
    race = parse(FIRST, SECOND, race=RACE.replace('"草地 - ""B+2"" 賽道"', "全天候跑道")).races[0]
    assert (race.surface, race.rail) == ("dirt", "")


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("1,12", "第一,12", "place '第一' is unknown"),
        (",6.4", ",---", "a runner has a weight and odds"),
        (",6.4", ",nan", "win_odds 'nan' is not a decimal number"),
        ("1:23.30,6.4", "123.30,6.4", "finish_time '123.30' is not m:ss.hh"),
        ("4 3 3 1", "4 x", "running_position '4 x' are not positions"),
        (",123,", ",,", "a runner has a weight and odds"),
        (",990,", ",heavy,", "declared_wt_lbs 'heavy' is not a decimal number"),
        (",3,-", ",3.5,-", "draw '3.5' is not a whole number"),
    ],
)
def test_a_bad_runner_is_rejected_by_line_and_its_race_goes_with_it(
    old: str, new: str, reason: str
) -> None:
    found = parse(FIRST.replace(old, new), SECOND)
    assert found.races == ()
    assert found.rejected == (
        Rejected(2, reason),
        Rejected(2, "a runner of this race was rejected"),
    )


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("2023-09-10", "10/09/2023", "date '10/09/2023' is not yyyy-mm-dd"),
        ("沙田", "從化", "venue '從化' is unknown"),
        ("好地", "泥", "going '泥' is unknown"),
        ("第五班", "第九班", "race_class '第九班' is unknown"),
        ('"草地 - ""B+2"" 賽道"', "沙灘", "course '沙灘' is unknown"),
        (",1400,", ",9400,", "a race is 500 to 8000 m long"),
        ("沙田,1,", "沙田,,", "race_no is missing"),
    ],
)
def test_a_bad_race_is_rejected_by_its_first_line(old: str, new: str, reason: str) -> None:
    found = parse(FIRST, SECOND, race=RACE.replace(old, new, 1))
    assert found.races == ()
    assert found.rejected == (Rejected(2, reason),)


def test_a_race_of_one_a_race_without_a_winner_and_a_horse_twice_are_rejected() -> None:
    assert "runners" in parse(FIRST).rejected[0].reason
    assert "no winner" in parse(FIRST.replace("1,12", "3,12"), SECOND).rejected[0].reason
    twice = parse(FIRST, FIRST.replace("1,12", "2,12"))
    assert "same horse" in twice.rejected[0].reason


def test_races_come_in_order_of_time() -> None:
    later = RACE.replace("2023-09-10", "2023-09-11")
    content = HEADER + later + FIRST + later + SECOND + RACE + FIRST + RACE + SECOND
    assert [race.day.day for race in parse_results(content.encode()).races] == [10, 11]


def test_gzipped_files_and_byte_order_marks_are_read() -> None:
    text = HEADER + RACE + FIRST + RACE + SECOND
    assert parse_results(gzip.compress(text.encode())) == parse_results(text.encode("utf-8-sig"))


@pytest.mark.parametrize(
    "content", [b"", b"a,b\n1,2\n", b"\xff\xfe", b"\x1f\x8b broken", HEADER[:200].encode()]
)
def test_other_files_are_refused(content: bytes) -> None:
    with pytest.raises(HkjcError):
        parse_results(content)


@given(st.binary(max_size=200))
def test_no_bytes_raise_anything_else(noise: bytes) -> None:
    try:
        parse_results(HEADER.encode() + RACE.encode() + FIRST.encode() + noise)
    except HkjcError:
        return


@pytest.mark.skipif(not FILE.is_file(), reason=f"no real data at {FILE}")
def test_real_results_are_read_without_a_rejection(tmp_path: Path) -> None:
    with gzip.open(FILE, "rt", encoding="utf-8") as lines:
        text = "".join(line for line, _ in zip(lines, range(LINES_READ), strict=False))
    part = tmp_path / "part.csv"
    # The last race may be cut short, but not its rows.
    part.write_text(text, encoding="utf-8")
    found = read_results(part)
    assert found.rejected == ()
    runners = sum(len(race.runners) for race in found.races)
    assert runners + found.withdrawn == LINES_READ - 1
    assert len(found.races) > 300
    assert all(race.won().sum() == 1 for race in found.races)
    # Of real races, too, those to come change nothing of what was known before.
    half = [race for race in found.races if race.day < found.races[150].day]
    known, _ = race_table(half)
    later, _ = race_table(found.races)
    assert (later.features[: len(half), : known.present.shape[1]] == known.features).all()


def test_a_missing_header_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "results.csv"
    path.write_text("a,b\n", encoding="utf-8")
    with pytest.raises(HkjcError, match=r"results\.csv: the header lacks date"):
        read_results(path)
