#!/usr/bin/env bash
# The Debian packages the tests and benchmarks use: a browser, a Chinese font, what the browser's driver links to,
# strace; pcscd with a virtual reader; wrk, and gcc with the C library's headers, for the figures of saving; ffmpeg for
# that of recording.
# Says what is missing where it may not install or cannot, and goes on: the tests that need it are skipped.
#   provisioning/test-packages.sh [STAMP]   STAMP is touched once nothing is missing
set -euo pipefail
packages=(chromium ffmpeg fonts-noto-cjk gcc libatomic1 libc6-dev pcscd
  python3-pyscard strace vsmartcard-vpcd wrk)
look() {
  missing=()
  for package in "${packages[@]}"; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
  done
}
skip() {
  echo "$1: without ${missing[*]} the tests that need them are skipped and say so" >&2
  exit 0
}
look
if [ ${#missing[@]} -gt 0 ]; then
  if [ "$(id -u)" = 0 ]; then
    run=(env DEBIAN_FRONTEND=noninteractive)
  elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
    run=(sudo -n env DEBIAN_FRONTEND=noninteractive)
  else
    skip "not root and no sudo"
  fi
  # a list that cannot be renewed may still do, and one package that is not to be had keeps no other from being installed
  "${run[@]}" apt-get update -qq || true
  "${run[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null ||
    for package in "${missing[@]}"; do
      "${run[@]}" apt-get install -y -qq --no-install-recommends "$package" >/dev/null 2>&1 || true
    done
  look
  [ ${#missing[@]} -eq 0 ] || skip "apt-get could not install everything"
fi
if [ $# -gt 0 ]; then touch "$1"; fi
