from decimal import Decimal
from pathlib import Path

import pytest

from adapters.nats.limits import StreamLimits
from domain.freshness import MaxAges
from fairbook.secret import SECRET_FILE, made_signing_secret, signing_secret
from fairbook.settings import Settings, SettingsError, write_urls

LONG = "s" * 32


def settings(**variables: str) -> Settings:
    return Settings.from_environment(variables)


def test_an_empty_environment_is_a_laptop() -> None:
    read = settings()
    assert (read.host, read.port, read.environment) == ("127.0.0.1", 8080, "development")
    assert (read.database_url, read.nats_url, read.redis_url, read.secret) == (None,) * 4


def test_everything_can_be_set() -> None:
    read = settings(
        DATABASE_URL="postgresql://u:p@db/fairbook",
        NATS_URL="nats://u:p@nats",
        REDIS_URL="redis://:p@valkey/0",
        FAIRBOOK_SECRET=LONG,
        FAIRBOOK_HOME="/data",
        FAIRBOOK_HOST="0.0.0.0",  # noqa: S104 - as in a container
        FAIRBOOK_PORT="9000",
        FAIRBOOK_ENV="production",
        FAIRBOOK_TRACE_RATIO="1",
        FAIRBOOK_QUOTE_MAX_AGE="default=60,betfair=2.5",
        FAIRBOOK_CASH_OUT_MARGIN="0.025",
        FAIRBOOK_CASH_OUT_TOLERANCE="0.01",
        FAIRBOOK_ARTEFACTS="/models",
        FAIRBOOK_RETRAIN_HOURS="1.5",
        OTEL_SERVICE_NAME="the SDK's own",
    )
    assert read.require_database_url() == "postgresql://u:p@db/fairbook"
    assert read.require_nats_url() == "nats://u:p@nats"
    assert (read.home, read.port, read.trace_ratio) == (Path("/data"), 9000, 1.0)
    assert read.quote_max_ages == MaxAges(60, {"betfair": 2.5})
    assert (read.artefacts, read.retrain_hours) == (Path("/models"), 1.5)
    assert (read.cash_out_margin, read.cash_out_tolerance) == (Decimal("0.025"), Decimal("0.01"))


@pytest.mark.parametrize("name", ["DATABASE_URL", "NATS_URL", "REDIS_URL"])
@pytest.mark.parametrize(
    "rest", ["u:secret@[::1/x", "u:secret@h:99999/x", "u:secret/1@h/x", "u:sec%ret@h/x"]
)
def test_an_address_that_is_none_is_explained_without_its_password(name: str, rest: str) -> None:
    scheme = {"DATABASE_URL": "postgresql", "NATS_URL": "nats", "REDIS_URL": "redis"}[name]
    with pytest.raises(SettingsError, match=f"{name} is no URL") as refused:
        settings(**{name: f"{scheme}://{rest}"})
    assert "sec" not in str(refused.value)


def test_several_servers_may_stand_in_one_address() -> None:
    read = settings(
        DATABASE_URL="postgresql://u:p@a:5432,b:5433/x",
        NATS_URL="nats://u:p@a:4222,nats://u:p@b:4222",
    )
    assert read.database_url is not None
    assert read.nats_url is not None


@pytest.mark.parametrize("name", ["FAIRBOOK_HOME", "FAIRBOOK_ARTEFACTS", "FAIRBOOK_ARBITRAGE"])
def test_a_folder_in_a_home_that_nobody_has_is_explained(name: str) -> None:
    with pytest.raises(SettingsError, match=f"{name}: .*home of nobody"):
        settings(**{name: "~nobody-of-that-name/fairbook"})


def test_artefacts_are_in_the_data_folder_and_nothing_is_trained_by_itself() -> None:
    read = settings(FAIRBOOK_HOME="/data")
    assert (read.artefacts, read.retrain_hours) == (Path("/data/artefacts"), None)


def test_what_the_streams_keep_can_be_set() -> None:
    read = settings(
        FAIRBOOK_NATS_REPLICAS="3",
        FAIRBOOK_ODDS_HOURS="6",
        FAIRBOOK_ODDS_MEGABYTES="500",
        FAIRBOOK_LEDGER_DAYS="90",
        FAIRBOOK_LEDGER_MEGABYTES="20000",
    )
    assert read.streams == StreamLimits(
        replicas=3,
        odds_seconds=21_600,
        odds_bytes=500_000_000,
        ledger_seconds=7_776_000,
        ledger_bytes=20_000_000_000,
    )
    assert settings().streams == StreamLimits()


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("FAIRBOOK_PORT", "0", "1 to 65535"),
        ("FAIRBOOK_PORT", "http", "1 to 65535"),
        ("FAIRBOOK_PORT", "tcp://10.0.0.1:80", "1 to 65535"),
        ("FAIRBOOK_NATS_REPLICAS", "2", "1, 3 or 5"),
        ("FAIRBOOK_ODDS_HOURS", "0", "hours, 1 or more"),
        ("FAIRBOOK_ODDS_MEGABYTES", "2 GB", "megabytes, 1 or more"),
        ("FAIRBOOK_LEDGER_DAYS", "-1", "or 0 for no limit"),
        ("FAIRBOOK_RETRAIN_HOURS", "0", "hours above 0"),
        ("FAIRBOOK_RETRAIN_HOURS", "nan", "hours above 0"),
        ("FAIRBOOK_TRACE_RATIO", "1.5", "from 0"),
        ("FAIRBOOK_TRACE_RATIO", "nan", "from 0"),
        ("FAIRBOOK_QUOTE_MAX_AGE", "300", "default=300"),
        ("FAIRBOOK_QUOTE_MAX_AGE", "betfair=0", "default=300"),
        ("FAIRBOOK_ENV", "staging", "development or production"),
        ("FAIRBOOK_PROT", "80", "did you mean FAIRBOOK_PORT"),
        ("FAIRBOOK_XYZZY", "1", "known: FAIRBOOK_ARBITRAGE"),
        ("DATABASE_URL", "mysql://u:hush@db/x", "must start with postgresql://"),
        ("NATS_URL", "localhost:4222", "must start with nats://"),
        ("REDIS_URL", "valkey.local", "must start with redis://"),
    ],
)
def test_a_value_that_cannot_be_used_is_refused_with_what_to_do(
    name: str, value: str, says: str
) -> None:
    with pytest.raises(SettingsError, match=says) as refused:
        settings(**{name: value})
    assert name in str(refused.value)
    assert "hush" not in str(refused.value)


def test_what_kubernetes_sets_by_itself_is_no_mistake() -> None:
    settings(FAIRBOOK_SERVICE_HOST="10.0.0.1", FAIRBOOK_PORT_8080_TCP="tcp://10.0.0.1:8080")


def test_a_url_that_is_needed_and_missing_is_explained(tmp_path: Path) -> None:
    nobody_ran_it_here = settings(FAIRBOOK_HOME=str(tmp_path))
    with pytest.raises(SettingsError, match=r"DATABASE_URL is not set.*fairbook up"):
        nobody_ran_it_here.require_database_url()


class TestSecret:
    def test_it_is_made_once_and_kept_from_others(self, tmp_path: Path) -> None:
        here = settings(FAIRBOOK_HOME=str(tmp_path))
        made = made_signing_secret(here)
        assert made_signing_secret(here) == signing_secret(here) == made
        assert (tmp_path / SECRET_FILE).stat().st_mode & 0o777 == 0o600

    def test_the_environment_comes_first(self, tmp_path: Path) -> None:
        here = settings(FAIRBOOK_HOME=str(tmp_path), FAIRBOOK_SECRET=LONG)
        assert made_signing_secret(here) == LONG
        assert list(tmp_path.iterdir()) == []

    def test_a_short_one_is_refused(self) -> None:
        with pytest.raises(SettingsError, match="holds 31 bytes"):
            signing_secret(settings(FAIRBOOK_SECRET="s" * 31))

    def test_a_missing_one_is_explained(self, tmp_path: Path) -> None:
        with pytest.raises(SettingsError, match="`fairbook up` makes one"):
            signing_secret(settings(FAIRBOOK_HOME=str(tmp_path)))

    def test_production_makes_none(self, tmp_path: Path) -> None:
        with pytest.raises(SettingsError, match="must be the same for every process"):
            made_signing_secret(settings(FAIRBOOK_HOME=str(tmp_path), FAIRBOOK_ENV="production"))


def test_other_commands_find_the_servers_that_up_has_started_on_the_data_folder(
    tmp_path: Path,
) -> None:
    write_urls(tmp_path, {"DATABASE_URL": "postgresql://fairbook:pw@127.0.0.1:5/fairbook"})
    settings = Settings.from_environment({"FAIRBOOK_HOME": str(tmp_path)})
    assert settings.database_url is None
    assert settings.require_database_url() == "postgresql://fairbook:pw@127.0.0.1:5/fairbook"
    assert (tmp_path / "urls.json").stat().st_mode & 0o777 == 0o600
    with pytest.raises(SettingsError, match="NATS_URL is not set"):
        settings.require_nats_url()
