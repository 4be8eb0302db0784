"""Names of what races have in common: courses, rails, levels, and kinds of place that suit a horse or do not."""

from math import floor, log2

from domain.prediction.racing.races import WET, Race, Runner

_SPRINT_M = 1200
_MILE_M = 1650


def course_of(race: Race) -> str:
    """Name venue, surface and distance."""
    return f"{race.venue}|{race.surface}|{race.distance_m}"


def track_of(race: Race) -> str:
    """Name venue and surface: what a day's going is shared by."""
    return f"{race.venue}|{race.surface}"


def rail_of(race: Race) -> str:
    """Name the course with its rail's position."""
    return f"{race.venue}|{race.surface}|{race.rail}|{race.distance_m}"


def level_of(race: Race) -> str:
    """Name the class, or the magnitude of the prize where there is none."""
    if race.race_class:
        return f"class {race.race_class}"
    return f"prize {floor(log2(race.prize))}" if race.prize else "prize"


def places_of(race: Race) -> tuple[str, str, str, str]:
    """Name venue, surface, ground and kind of distance."""
    return (
        f"v|{race.venue}",
        f"s|{race.surface}",
        f"g|{race.going in WET}",
        f"d|{distance_band(race.distance_m)}",
    )


def distance_band(distance_m: int | None) -> str:
    """Name sprints, miles and longer distances."""
    if distance_m is None:
        return "unknown"
    return "sprint" if distance_m <= _SPRINT_M else "mile" if distance_m <= _MILE_M else "long"


def pair_of(runner: Runner) -> str:
    """Name jockey and trainer together."""
    return f"{runner.jockey}|{runner.trainer}"
