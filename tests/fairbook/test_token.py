import argparse

import jwt
import pytest

from api.claims import ALGORITHM, AUDIENCE, ISSUER
from fairbook.settings import SettingsError
from fairbook.token import ROLES, mint, ttl_seconds

SECRET = "s" * 32


@pytest.mark.parametrize("role", ROLES)
def test_a_token_says_who_and_until_when(role: str) -> None:
    claims = jwt.decode(
        mint(SECRET, "alice", role, 60),
        SECRET,
        algorithms=[ALGORITHM],
        issuer=ISSUER,
        audience=AUDIENCE,
        options={"require": ["exp", "iat", "sub", "jti"]},
    )
    assert (claims["sub"], claims["role"]) == ("alice", role)
    assert claims["exp"] - claims["iat"] == 60


def test_no_two_tokens_have_the_same_id() -> None:
    ids = {
        jwt.decode(mint(SECRET, "a", "trader", 60), SECRET, [ALGORITHM], audience=AUDIENCE)["jti"]
        for _ in range(10)
    }
    assert len(ids) == 10


@pytest.mark.parametrize(
    ("secret", "user", "role"),
    [("s" * 31, "alice", "trader"), (SECRET, "", "trader"), (SECRET, "alice", "root")],
)
def test_what_makes_no_sense_is_refused(secret: str, user: str, role: str) -> None:
    with pytest.raises(SettingsError):
        mint(secret, user, role, 60)


@pytest.mark.parametrize(
    ("text", "seconds"), [("45s", 45), ("30m", 1_800), ("12h", 43_200), ("7d", 604_800)]
)
def test_durations(text: str, seconds: int) -> None:
    assert ttl_seconds(text) == seconds


@pytest.mark.parametrize("text", ["", "12", "h", "0h", "-1h", "1.5h", "1 h", "1w"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError):
        ttl_seconds(text)
