"""The secret that signs tokens: from the environment, or made once in the data folder."""

import os
import secrets
from pathlib import Path

from fairbook.settings import Settings, SettingsError

SECRET_BYTES_MIN = 32  # HS256 is only as strong as its key: RFC 7518 asks for 256 bits
SECRET_FILE = "signing-secret"  # noqa: S105 - the file's name, not what is in it


def signing_secret(settings: Settings) -> str:
    """The secret of this installation.

    Raises:
        SettingsError: there is none yet, or it is too short.
    """
    if settings.secret is not None:
        return _long_enough(settings.secret, "FAIRBOOK_SECRET")
    file = settings.home / SECRET_FILE
    try:
        return _long_enough(file.read_text().strip(), str(file))
    except FileNotFoundError:
        raise SettingsError(
            f"There is no signing secret: FAIRBOOK_SECRET is unset and {file} does not exist. "
            "`fairbook up` makes one; name its data folder with FAIRBOOK_HOME, or set "
            "FAIRBOOK_SECRET to what the API uses."
        ) from None
    except PermissionError:
        raise SettingsError(
            f"{file} belongs to another account. Run this as the account that ran `fairbook up`."
        ) from None


def made_signing_secret(settings: Settings) -> str:
    """The secret of this installation, made and kept (mode 0600) if there was none."""
    file = settings.home / SECRET_FILE
    if settings.secret is None and not file.exists():
        if settings.environment == "production":
            raise SettingsError(
                "FAIRBOOK_SECRET is not set. In production it must be the same for every process: "
                "set it, for example to the output of `openssl rand -base64 48`."
            )
        _write_once(file, secrets.token_urlsafe(48))
    return signing_secret(settings)


def _write_once(file: Path, secret: str) -> None:
    """Write so that a crash leaves either no file or a whole one."""
    fresh = file.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
        out.write(secret + "\n")
        out.flush()
        os.fsync(out.fileno())
    fresh.rename(file)


def _long_enough(secret: str, source: str) -> str:
    if len(secret.encode()) < SECRET_BYTES_MIN:
        raise SettingsError(
            f"{source} holds {len(secret.encode())} bytes; a signing secret needs at least "
            f"{SECRET_BYTES_MIN}, for example the output of `openssl rand -base64 48`."
        )
    return secret
