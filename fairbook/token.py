"""`fairbook token`: print a signed token for local use."""

import argparse
import re
import time
import uuid
from typing import Final, get_args

import jwt

from api.claims import ALGORITHM, AUDIENCE, ISSUER
from domain.actors import Role
from fairbook.secret import SECRET_BYTES_MIN, signing_secret
from fairbook.settings import Settings, SettingsError

ROLES: Final[tuple[str, ...]] = get_args(Role)

_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_TTL = re.compile(r"([1-9][0-9]{0,8})([smhd])")


def mint(secret: str, user: str, role: str, ttl_seconds: int) -> str:
    """Sign a token (JWT, HS256) that says who its bearer is for `ttl_seconds` from now.

    Raises:
        SettingsError: the role is unknown, the user is empty, or the secret is too short to sign with.
    """
    if role not in ROLES:
        raise SettingsError(f"There is no role {role!r}; choose one of {', '.join(ROLES)}.")
    if not user:
        raise SettingsError("A token needs a user.")
    if len(secret.encode()) < SECRET_BYTES_MIN:
        raise SettingsError(f"A signing secret needs at least {SECRET_BYTES_MIN} bytes.")
    now_seconds = int(time.time())
    claims = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": user,
        "role": role,
        "iat": now_seconds,
        "exp": now_seconds + ttl_seconds,
        "jti": uuid.uuid4().hex,
    }
    return jwt.encode(claims, secret, algorithm=ALGORITHM)


def ttl_seconds(text: str) -> int:
    """Seconds in a duration such as 30m, 12h or 7d; raises argparse's error for anything else."""
    match = _TTL.fullmatch(text)
    if not match:
        raise argparse.ArgumentTypeError(f"{text!r} is not a duration such as 30m, 12h or 7d")
    return int(match[1]) * _SECONDS[match[2]]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare this command's options."""
    parser.add_argument("--role", required=True, choices=ROLES, help="what the bearer may do")
    parser.add_argument("--user", required=True, metavar="NAME", help="who the bearer is")
    parser.add_argument(
        "--ttl",
        type=ttl_seconds,
        default="12h",
        metavar="DURATION",
        help="how long it is valid, such as 30m, 12h or 7d (default: 12h)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Print a token and nothing else, so that a shell can take it."""
    secret = signing_secret(Settings.from_environment())
    print(mint(secret, arguments.user, arguments.role, arguments.ttl))
    return 0
