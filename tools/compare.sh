#!/bin/sh
# Best effort: the peers that models are measured against, in a venv of their own (.venv-compare) from
# requirements-compare.lock, by hash. Quick when nothing changed. Without it `make evaluate` says that they are missing.
cd "$(dirname "$0")/.." || exit 0
stamp=.venv-compare/installed-from
if [ -x .venv-compare/bin/python ] && cmp -s requirements-compare.lock "$stamp" 2>/dev/null; then exit 0; fi
echo "==> installing the peers of the models into .venv-compare"
if [ -s /etc/ssl/certs/ca-certificates.crt ]; then export UV_SYSTEM_CERTS="${UV_SYSTEM_CERTS:-true}"; fi
rm -rf .venv-compare
if .boot/bin/uv venv --quiet --no-python-downloads --python "$(command -v "${PYTHON:-python3}")" .venv-compare &&
    VIRTUAL_ENV=.venv-compare .boot/bin/uv pip sync --quiet --no-python-downloads --require-hashes requirements-compare.lock; then
    cp requirements-compare.lock "$stamp"
else
    rm -rf .venv-compare
    echo "the peers could not be installed: the evaluation goes without them"
fi
exit 0
