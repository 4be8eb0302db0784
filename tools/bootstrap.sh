#!/bin/sh
# Installs everything into .venv from requirements.lock, by hash. Does nothing when nothing changed.
#
# Needs Python 3.11 or newer with pip, and no more: a fresh Debian has no ensurepip (so no `python3 -m venv`) and
# refuses `pip install` outside a venv (PEP 668), but lets pip fill a folder of its own. uv lands in that folder.
set -eu
cd "$(dirname "$0")/.."
root=$(pwd -P)
python=${PYTHON:-python3}

# The whole content of the lock is the stamp: comparing it needs no hash tool and takes milliseconds.
# The folder is part of it because the venv's scripts carry its path.
stamp=.venv/installed-from
state() { echo "$root"; cat requirements.lock tools/uv.lock.txt tools/bootstrap.sh; }
if [ -x .venv/bin/python ] && state | cmp -s - "$stamp" 2>/dev/null; then exit 0; fi

say() { echo "==> $*"; }
fail() { echo "bootstrap: $*" >&2; exit 1; }

command -v "$python" >/dev/null || fail "no $python found; install Python 3.11 or newer (Debian: apt install python3 python3-pip)"
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    fail "$("$python" --version) is too old, fairbook needs 3.11; name a newer one with PYTHON=..."

# One install at a time: `make test` beside `make up` waits. flock comes with every Debian; elsewhere take the risk.
if command -v flock >/dev/null; then
    exec 9>.bootstrap-lock
    flock 9
    if [ -x .venv/bin/python ] && state | cmp -s - "$stamp" 2>/dev/null; then exit 0; fi
fi

if ! cmp -s tools/uv.lock.txt .boot/installed-from 2>/dev/null; then
    say "installing uv into .boot"
    "$python" -m pip --version >/dev/null 2>&1 || fail "$python has no pip (Debian: apt install python3-pip)"
    rm -rf .boot
    # PIP_USER=0: a user's own user=true quarrels with --target.
    PIP_USER=0 PIP_ROOT_USER_ACTION=ignore "$python" -m pip install --quiet --disable-pip-version-check \
        --target .boot --require-hashes -r tools/uv.lock.txt
    cp tools/uv.lock.txt .boot/installed-from
fi

# Trust what the system trusts, such as a company's own authority; uv alone knows only the public ones.
if [ -s /etc/ssl/certs/ca-certificates.crt ]; then export UV_SYSTEM_CERTS="${UV_SYSTEM_CERTS:-true}"; fi

say "installing $(grep -c '^[a-z].*==' requirements.lock) packages into .venv"
rm -f "$stamp"
if ! [ -x .venv/bin/python ] || ! [ "$(cat .venv/made-at 2>/dev/null)" = "$root" ]; then
    rm -rf .venv
    .boot/bin/uv venv --quiet --no-python-downloads --python "$(command -v "$python")" --prompt fairbook .venv
    echo "$root" >.venv/made-at
fi
# Compiled here once, a start does not compile again (also where PYTHONDONTWRITEBYTECODE is set).
VIRTUAL_ENV=.venv .boot/bin/uv pip sync --no-python-downloads --require-hashes --compile-bytecode requirements.lock

# The checkout's own packages import from any working folder.
site=$(.venv/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
echo "$root" >"$site/fairbook-checkout.pth"
printf '#!/bin/sh\nexec "%s/.venv/bin/python" -P -m fairbook "$@"\n' "$root" >.venv/bin/fairbook
chmod 755 .venv/bin/fairbook

state >"$stamp"
say "installed; .venv/bin/fairbook --help"
