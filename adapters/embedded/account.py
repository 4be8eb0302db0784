"""Who the servers run as: PostgreSQL refuses root, so root lends them an unprivileged account."""

import os
import pwd
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from adapters.embedded.errors import EmbeddedError

# Every Unix has it, and initdb wants an account with an entry in /etc/passwd.
UNPRIVILEGED: Final = "nobody"


@dataclass(frozen=True, slots=True)
class Account:
    """An account to run servers as; all None means the account of this process."""

    user_id: int | None = None
    group_id: int | None = None

    @classmethod
    def for_servers(cls) -> "Account":
        """The account of this process, or `nobody` when that is root."""
        if os.geteuid() != 0:
            return cls()
        try:
            entry = pwd.getpwnam(UNPRIVILEGED)
        except KeyError:
            raise EmbeddedError(
                f"PostgreSQL does not run as root, and this system has no account {UNPRIVILEGED!r} "
                "to run it as. Run fairbook as an ordinary user."
            ) from None
        return cls(entry.pw_uid, entry.pw_gid)

    @property
    def extra_groups(self) -> list[int] | None:
        """No group of root's goes along to another account."""
        return None if self.user_id is None else []

    def take(self, path: Path, mode: int) -> None:
        """Give a file or folder to this account, with these permissions."""
        if self.user_id is not None and self.group_id is not None:
            os.chown(path, self.user_id, self.group_id)
        path.chmod(mode)

    def run(
        self, command: list[str | Path], *, home: Path, stdin: str = ""
    ) -> "subprocess.CompletedProcess[str]":
        """Run a short command as this account, in English and UTC, and collect what it says."""
        return subprocess.run(  # noqa: S603 - only commands of this package come here
            command,
            user=self.user_id,
            group=self.group_id,
            extra_groups=self.extra_groups,
            env=server_environment(home),
            cwd="/",
            input=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )

    def can_enter(self, folder: Path) -> bool:
        """Whether this account may walk into the folder."""
        # Not with cwd=: subprocess enters that before it changes the account.
        return self.run(["/bin/sh", "-c", 'cd "$1"', "sh", folder], home=folder).returncode == 0

    def can_run(self, binary: Path) -> bool:
        """Whether this account may execute the program."""
        try:
            return self.run([binary, "--version"], home=Path("/")).returncode == 0
        except PermissionError:
            return False


def server_environment(home: Path) -> dict[str, str]:
    """What a server sees of the environment: nothing of the user's."""
    return {"PATH": os.defpath, "HOME": str(home), "LC_ALL": "C", "TZ": "UTC"}
