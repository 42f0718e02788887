#!/usr/bin/env bash
# copy-tree.sh FROM TO: what a wheel is built of and nothing else, so that no left-over of an earlier build gets in.
set -euo pipefail
from=$1 to=$2
mkdir -p "$to"
for part in pyproject.toml README.md LICENSE edge models; do
  if [ -e "$from/$part" ]; then cp -R "$from/$part" "$to/"; fi
done
find "$to" -name __pycache__ -prune -exec rm -rf {} +
