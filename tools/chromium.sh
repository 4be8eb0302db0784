#!/bin/sh
# Best effort: Chromium for the tests that read a page (they skip by name without it). Quick when it is there.
for name in chromium chromium-browser google-chrome-stable google-chrome; do
    if command -v "$name" >/dev/null; then exit 0; fi
done
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "no Chromium, and no way to install it here: the tests that need it will be skipped"
    exit 0
fi
export DEBIAN_FRONTEND=noninteractive
{ timeout 120 apt-get update -qq && timeout 300 apt-get install -y -qq --no-install-recommends chromium; } >/dev/null 2>&1 ||
    echo "Chromium could not be installed: the tests that need it will be skipped"
exit 0
