#!/usr/bin/env bash
# Makes an exam room box of a Raspberry Pi OS or Debian (bookworm, trixie). Run it again to update; it changes only
# what is not yet as it should be.
set -euo pipefail

PREFIX=/opt/examroom
CONFIG=/etc/examroom/examroom.toml
TLS=/etc/examroom/tls

usage() {
  cat <<'TEXT'
用法 / usage: provisioning/bootstrap.sh [--from PATH] [--offline-wheels DIR] [--no-nginx] [--no-start]

把一台树莓派（Raspberry Pi OS）或 Debian 12/13 电脑装成考场一体机；重复运行即为更新，已有的设置和数据不动。
Make this Raspberry Pi or Debian 12/13 machine an exam room box. Run it again to update: settings and data stay.

  --from PATH           安装的内容：wheel 文件或源码目录，默认是本脚本所在的目录树
                        what to install: a wheel or a source tree (default: the tree this script lies in)
  --offline-wheels DIR  Python 包只取自 DIR（由 wheels.sh 备好）
                        take Python packages from DIR only (made by wheels.sh)
  --no-nginx            不装 nginx：没有 HTTPS，只用于桌面试用
                        without nginx, that is without HTTPS: for a trial on a desk
  --no-start            只安装并设为开机启动，现在不启动
                        install and enable, start nothing now

退出码 / exit codes: 0 完成 done, 1 某一步失败 a step failed, 2 用法、系统或设置不对 wrong usage, system or configuration
TEXT
}

say() { printf '\n== %s / %s\n' "$1" "$2"; } # zh, en
refuse() {                                  # zh, en
  printf '%s\n%s\n' "$1" "$2" >&2
  exit 2
}
fail() { # zh, en
  printf '%s\n%s\n' "$1" "$2" >&2
  exit 1
}

here=$(cd "$(dirname "$0")/.." && pwd)
from=$here wheels='' nginx=1 start=1
while [ $# -gt 0 ]; do
  case $1 in
    -h | --help) usage; exit 0 ;;
    --from | --offline-wheels)
      [ $# -ge 2 ] || refuse "选项 $1 后面要有路径。" "Option $1 needs a path."
      case $1 in --from) from=$2 ;; *) wheels=$2 ;; esac
      shift 2 ;;
    --no-nginx) nginx=0; shift ;;
    --no-start) start=0; shift ;;
    *) refuse "没有选项 $1，用 --help 看用法。" "There is no option $1; see --help." ;;
  esac
done

# Everything that can be refused is refused here, before anything is changed.
case $from in
  *.whl) [ -f "$from" ] || refuse "找不到文件 $from。" "There is no file $from." ;;
  *) if [ ! -f "$from/pyproject.toml" ] || [ ! -d "$from/edge" ]; then
    refuse "$from 不是 wheel 文件，也不是本产品的源码目录。" "$from is neither a wheel nor a source tree of this product."
  fi ;;
esac
if [ -n "$wheels" ]; then
  compgen -G "$wheels/*.whl" >/dev/null || refuse "$wheels 里没有 wheel 文件。" "There are no wheels in $wheels."
  wheels=$(cd "$wheels" && pwd)
fi
[ "$(id -u)" = 0 ] || refuse "请用 root 运行：sudo provisioning/bootstrap.sh" "Run it as root: sudo provisioning/bootstrap.sh"
# shellcheck source=/dev/null
release=$(. /etc/os-release 2>/dev/null && echo "${ID:-}-${VERSION_ID:-}") || release=
case $release in
  debian-12 | raspbian-12) python=311 ;;
  debian-13 | raspbian-13) python=313 ;;
  *) refuse "只支持 Raspberry Pi OS 和 Debian 12、13，这里是 ${release:-未知系统}。" \
    "Only Raspberry Pi OS and Debian 12 and 13 are supported; this is ${release:-unknown}." ;;
esac
constraints=$here/constraints/pi$python.txt
[ -f "$constraints" ] || refuse "缺少 $constraints。" "$constraints is missing."
if [ -d /run/systemd/system ] && [ -x $PREFIX/bin/examroom ]; then
  sessions=$(runuser -u examroom -- $PREFIX/bin/examroom session list --json 2>/dev/null || true)
  if grep -Eq '"state": "(checkin|running)"' <<<"$sessions"; then
    fail "有考试正在进行，结束后再更新。" "A session is under way: update when it is over."
  fi
fi

pi=0
if grep -qs 'Raspberry Pi' /proc/device-tree/model; then pi=1; fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

say "系统软件包" "system packages"
# The environment sees these: numpy is the one that picamera2 was built against, evdev, lgpio and pyscard have no wheels;
# what microphones are called stands in libasound2-data.
packages=(python3-venv python3-numpy python3-evdev python3-pyscard pcscd libasound2-data)
[ $pi = 1 ] && packages+=(python3-picamera2 python3-lgpio)
[ $nginx = 1 ] && packages+=(nginx-light)
missing=()
for package in "${packages[@]}"; do
  [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)" = installed ] || missing+=("$package")
done
if [ ${#missing[@]} -gt 0 ]; then
  echo "${missing[*]}"
  export DEBIAN_FRONTEND=noninteractive
  { apt-get update -qq && apt-get install -y -qq --no-install-recommends "${missing[@]}" >"$work/apt.log" 2>&1; } || {
    tail -n 20 "$work/apt.log" >&2 2>/dev/null || true
    fail "装不上 ${missing[*]}，检查网络后再运行。" "Could not install ${missing[*]}; check the network and run this again."
  }
fi

say "用户和文件夹" "user and folders"
install -D -m 644 "$here/systemd/sysusers.d/examroom.conf" /usr/lib/sysusers.d/examroom.conf
install -D -m 644 "$here/systemd/tmpfiles.d/examroom.conf" /usr/lib/tmpfiles.d/examroom.conf
systemd-sysusers /usr/lib/sysusers.d/examroom.conf
systemd-tmpfiles --create /usr/lib/tmpfiles.d/examroom.conf

say "程序" "program"
if [ ! -x $PREFIX/bin/python ] ||
  [ "$($PREFIX/bin/python -c 'import sys; print("%d%d" % sys.version_info[:2])' 2>/dev/null)" != $python ]; then
  rm -rf $PREFIX
  /usr/bin/python3 -m venv --system-site-packages $PREFIX
fi
index=()
[ -n "$wheels" ] && index=(--no-index --find-links "$wheels")
pip() { PIP_ROOT_USER_ACTION=ignore $PREFIX/bin/pip --quiet --disable-pip-version-check "$@"; }
if [ -d "$from" ]; then
  "$here/provisioning/copy-tree.sh" "$from" "$work/tree"
  pip wheel --no-deps "${index[@]}" --wheel-dir "$work" "$work/tree" ||
    fail "源码打包失败。" "The source tree could not be built."
  wheel=$(echo "$work"/examroom_edge-*.whl)
else
  wheel=$(cd "$(dirname "$from")" && pwd)/$(basename "$from")
fi
extra=
[ $pi = 1 ] && extra='[pi]'
{ pip install "${index[@]}" --constraint "$constraints" "$wheel$extra" &&
  pip install --no-index --no-deps --force-reinstall "$wheel"; } || # the same version may hold other code
  fail "Python 包安装失败，检查网络后再运行。" "The Python packages could not be installed; check the network and run this again."
# a path without the Python version in it, for nginx
package=$(cd / && $PREFIX/bin/python -c 'import pathlib, edge; print(pathlib.Path(edge.__file__).parent)')
ln -sfn "$package" $PREFIX/edge
# nginx sends the pages' own files packed
find "$package/web" "$package/ui" -path '*/static/*' \( -name '*.js' -o -name '*.css' -o -name '*.svg' \) -exec gzip -9 -k -n -f {} +
install -D -m 755 "$here/provisioning/examroom" /usr/local/bin/examroom

say "设置" "configuration"
install -d -m 750 -g examroom /etc/examroom
if [ ! -e $CONFIG ]; then
  install -m 640 -g examroom "$here/provisioning/examroom.toml" $CONFIG
  if [ $nginx = 0 ]; then
    sed -i -E 's/^# (host = )"127.0.0.1"/\1"0.0.0.0"/; s/^(secure_cookies|behind_proxy) = true/\1 = false/' $CONFIG
  fi
  echo "新建 / new: $CONFIG"
else
  echo "保留 / kept: $CONFIG"
fi
# prints the services of the configuration, or why it is refused
cat >"$work/services.py" <<'PYTHON'
import sys
from pathlib import Path

from edge.config import load_config
from edge.errors import ExamroomError
from edge.services.supervisor import service_names

try:
    print(*service_names(load_config(Path(sys.argv[1]))), sep="\n")
except ExamroomError as error:
    print(error.sentence("zh"), error.sentence("en"), sep="\n", file=sys.stderr)
    sys.exit(error.exit_code)
PYTHON
services=$($PREFIX/bin/python "$work/services.py" $CONFIG) || exit 2
rtsp=$($PREFIX/bin/python -c 'import pathlib, sys; from edge.config import load_config as c; print(*(n for n, o in c(pathlib.Path(sys.argv[1])).camera.items() if o.backend == "rtsp"))' $CONFIG)

say "人脸模型" "face pack"
pack=$($PREFIX/bin/python -c 'import pathlib, sys; from edge.config import load_config as c; print(c(pathlib.Path(sys.argv[1])).checkin.pack)' $CONFIG)
/usr/local/bin/examroom faces install "$pack" >"$work/faces.log" 2>&1 || {
  cat "$work/faces.log" >&2
  fail "人脸模型装不上；没有它，考生只能走人工核验。" "The face pack could not be installed; without it everybody takes the manual route."
}

if [ $nginx = 1 ]; then
  say "HTTPS" "nginx"
  # the pages show the authority's certificate, so their group may enter; the keys are root's alone
  install -d -m 750 -g examroom $TLS
  $PREFIX/bin/examroom tls make >"$work/tls.log" 2>&1 || {
    cat "$work/tls.log" >&2
    fail "证书生成失败。" "The certificate could not be made."
  }
  cat "$work/tls.log"
  install -m 644 "$here"/provisioning/nginx/examroomtls.* /etc/systemd/system/
  install -m 644 "$here/provisioning/nginx/examroom.conf" /etc/nginx/sites-available/examroom
  ln -sfn ../sites-available/examroom /etc/nginx/sites-enabled/examroom
  rm -f /etc/nginx/sites-enabled/default
  nginx -t -q || fail "nginx 不接受设置。" "nginx refuses its configuration."
fi

say "服务" "services"
install -m 644 "$here"/systemd/*.service "$here"/systemd/*.path "$here"/systemd/*.target /etc/systemd/system/
for own in examroom-.service.d/10-common.conf examroom-rehearse.service.d/20-once.conf; do
  install -D -m 644 "$here/systemd/$own" "/etc/systemd/system/$own"
done
install -D -m 644 "$here/provisioning/polkit/50-examroom-pcsc.rules" /etc/polkit-1/rules.d/50-examroom-pcsc.rules
install -D -m 644 "$here/systemd/journald.conf.d/examroom.conf" /etc/systemd/journald.conf.d/examroom.conf
# only a network camera gets at the network
rm -f /etc/systemd/system/examroom-camera@*.service.d/20-network.conf
for camera in $rtsp; do
  install -D -m 644 "$here/systemd/examroom-camera-rtsp.d/20-network.conf" "/etc/systemd/system/examroom-camera@$camera.service.d/20-network.conf"
done
units=(examroom.target examroom-rehearse.path)
for service in $services; do units+=("examroom-$service.service"); done
[ $nginx = 0 ] || units+=(examroomtls.timer)
for old in /etc/systemd/system/examroom.target.wants/examroom-*.service; do
  if [ -L "$old" ] && [[ " ${units[*]} " != *" ${old##*/} "* ]]; then
    systemctl --quiet disable "${old##*/}" # a camera that is no longer configured
    [ ! -d /run/systemd/system ] || systemctl stop "${old##*/}"
  fi
done
systemctl --quiet enable "${units[@]}"
printf '%s\n' "${units[@]}"
if [ -d /run/systemd/system ] && [ $start = 1 ]; then
  systemctl daemon-reload
  systemctl try-restart systemd-journald.service
  [ $nginx = 0 ] || systemctl reload-or-restart nginx.service
  systemctl restart examroom.target
  # restarting the target restarts what runs; what is new starts with it
  systemctl start "${units[@]}" || fail "服务没有启动，看：journalctl -u 'examroom-*'" "The services did not start: journalctl -u 'examroom-*'"
else
  echo "下次开机启动 / they start with the next boot"
fi

say "完成" "done"
if [ ! -e /var/lib/examroom/trust/certificate.json ]; then
  echo "接着登记考场 / now enrol the room: examroom enrol --help"
fi
