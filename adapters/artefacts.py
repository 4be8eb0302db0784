"""Artefacts as files of a folder: `<first 2 digits of the hash>/<hash>`."""

import hashlib
import os
import re
import tempfile
from pathlib import Path
from typing import Final

from domain.refusals import ArtefactMismatch, ArtefactNotFound, InvalidInput

_SHA256: Final = re.compile(r"[0-9a-f]{64}")


class ArtefactFolder:
    """An application.artefacts.Artefacts. The folder is made with the first artefact."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, content: bytes) -> str:
        """Keep bytes so that they outlive a crash: written aside, flushed to the disk, then named."""
        sha256 = hashlib.sha256(content).hexdigest()
        path = self._path(sha256)
        if path.is_file() and path.read_bytes() == content:
            return sha256
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".new-", delete=False) as aside:
            try:
                aside.write(content)
                aside.flush()
                os.fsync(aside.fileno())
                os.fchmod(aside.fileno(), 0o644)  # whoever runs the handlers reads it, too
                Path(aside.name).replace(path)
            except BaseException:
                Path(aside.name).unlink(missing_ok=True)
                raise
        for folder in (path.parent, self._folder):
            _flush(folder)
        return sha256

    def get(self, sha256: str) -> bytes:
        """Give the bytes of this hash; whatever else the file holds by now is refused by name."""
        path = self._path(sha256)
        try:
            content = path.read_bytes()
        except OSError as error:
            raise ArtefactNotFound(
                f"artefact {sha256} cannot be read from {self._folder} ({error.strerror}): name the folder "
                "that holds it in FAIRBOOK_ARTEFACTS, or train again"
            ) from error
        found = hashlib.sha256(content).hexdigest()
        if found != sha256:
            raise ArtefactMismatch(
                f"artefact {sha256} has the hash {found}: restore it from a backup, or train again"
            )
        return content

    def _path(self, sha256: str) -> Path:
        if not _SHA256.fullmatch(sha256):
            raise InvalidInput("an artefact is named by its SHA-256", field="artefact")
        return self._folder / sha256[:2] / sha256


def _flush(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
