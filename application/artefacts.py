"""Where the files are kept that hold models, each under the hash of its bytes."""

from typing import Protocol


class Artefacts(Protocol):
    """Files by content: what was put under a hash never changes, and putting it again changes nothing."""

    def put(self, content: bytes) -> str:
        """Keep bytes for good, and give their SHA-256 in hexadecimal."""

    def get(self, sha256: str) -> bytes:
        """Give the bytes of this hash, and only these; raises ArtefactNotFound, ArtefactMismatch."""
