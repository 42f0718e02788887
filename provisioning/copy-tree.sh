#!/usr/bin/env bash
# copy-tree.sh FROM TO: what a wheel is built of and nothing else, so that no left-over of an earlier build gets in.
# Links are followed: the packs' manifests are one.
set -euo pipefail
from=$1 to=$2
mkdir -p "$to"
for part in pyproject.toml README.md LICENSE edge; do
  if [ -e "$from/$part" ]; then cp -RL "$from/$part" "$to/"; fi
done
find "$to" -name __pycache__ -prune -exec rm -rf {} +
