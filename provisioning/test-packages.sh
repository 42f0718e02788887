#!/usr/bin/env bash
# The Debian packages the tests and benchmarks use: a browser, a Chinese font, what the browser's driver links to,
# strace; wrk and gcc for the figures of saving.
# Says what is missing where it may not install.
set -euo pipefail
packages=(chromium fonts-noto-cjk gcc libatomic1 strace wrk)
missing=()
for package in "${packages[@]}"; do
  dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0
if [ "$(id -u)" = 0 ]; then
  run=()
elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
  run=(sudo -n)
else
  echo "not root and no sudo: without ${missing[*]} the tests that need them are skipped and say so" >&2
  exit 0
fi
"${run[@]}" apt-get update -qq
DEBIAN_FRONTEND=noninteractive "${run[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
