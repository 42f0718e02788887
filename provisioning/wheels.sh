#!/usr/bin/env bash
# Gathers every Python package the box needs into a folder, for bootstrap.sh --offline-wheels on a machine without network.
set -euo pipefail

usage() {
  cat <<'TEXT'
用法 / usage: provisioning/wheels.sh [--python 3.11|3.13] [--arch aarch64|x86_64] [--with PYTHON] DIR

把一体机所需的全部 Python 包下载到 DIR，供无网络的机器使用：bootstrap.sh --offline-wheels DIR
Download all Python packages of the box to DIR, for machines without network.

  --python   目标机器的 Python：bookworm 是 3.11，trixie 是 3.13 / the box's Python (default 3.11)
  --arch     目标机器的架构 / the box's architecture (default aarch64)
  --with     用哪个 Python 的 pip 下载 / whose pip does it (default python3)
TEXT
}

refuse() { # zh, en
  printf '%s\n%s\n' "$1" "$2" >&2
  exit 2
}

python=3.11 arch=aarch64 with=python3 target=''
while [ $# -gt 0 ]; do
  case $1 in
    -h | --help) usage; exit 0 ;;
    --python | --arch | --with)
      [ $# -ge 2 ] || refuse "选项 $1 后面要有值。" "Option $1 needs a value."
      case $1 in --python) python=$2 ;; --arch) arch=$2 ;; --with) with=$2 ;; esac
      shift 2 ;;
    -*) refuse "没有选项 $1。" "There is no option $1." ;;
    *) [ -z "$target" ] || refuse "只能给一个文件夹。" "Give one folder only."; target=$1; shift ;;
  esac
done
[ -n "$target" ] || { usage >&2; exit 2; }
case $python in 3.11) glibc=36 ;; 3.13) glibc=41 ;; *) refuse "不支持 Python $python。" "Python $python is not supported." ;; esac
case $arch in aarch64 | x86_64) ;; *) refuse "不支持架构 $arch。" "Architecture $arch is not supported." ;; esac
command -v "$with" >/dev/null || refuse "找不到 $with。" "$with is not there."

tree=$(cd "$(dirname "$0")/.." && pwd)
constraints=$tree/constraints/pi${python/./}.txt
mkdir -p "$target"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

pip() { "$with" -m pip --disable-pip-version-check --quiet "$@"; }

# What is built from source is built here, once; all others must come as wheels for the box.
"$tree/provisioning/copy-tree.sh" "$tree" "$work/tree"
pip wheel --no-deps -w "$work" "$work/tree"
models=$(grep -i '^face-recognition-models==' "$constraints")
pip wheel --no-deps -w "$target" "$models"
platforms=(--platform "manylinux2014_$arch" --platform "linux_$arch")
for minor in $(seq 17 "$glibc"); do platforms+=(--platform "manylinux_2_${minor}_$arch"); done
# setuptools is what bootstrap.sh builds the product with when it is given a tree
pip download --only-binary :all: --python-version "$python" --implementation cp "${platforms[@]}" \
  --constraint "$constraints" --find-links "$target" --dest "$target" "$work"/examroom_edge-*.whl setuptools
rm -f "$target"/examroom_edge-*.whl
echo "$target: $(find "$target" -name '*.whl' | wc -l) 个包 / packages"
