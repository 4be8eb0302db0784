"""Files that may be packed."""

import bz2
import gzip
import lzma
import zlib
from pathlib import Path
from typing import IO, Final, cast

CANNOT_UNPACK: Final = (EOFError, gzip.BadGzipFile, zlib.error, lzma.LZMAError)


def unpacked(path: Path) -> IO[bytes]:
    """Open a file that may be packed with bzip2, gzip or xz."""
    with path.open("rb") as file:
        magic = file.read(6)
    if magic.startswith(b"BZh"):
        return cast(IO[bytes], bz2.open(path))
    if magic.startswith(b"\x1f\x8b"):
        return cast(IO[bytes], gzip.open(path))
    if magic.startswith(b"\xfd7zXZ"):
        return cast(IO[bytes], lzma.open(path))
    return path.open("rb")
