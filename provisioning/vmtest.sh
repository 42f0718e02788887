#!/usr/bin/env bash
# Boots a box: a minimal Debian is bootstrapped as a technician would do it, started in QEMU, looked at from outside and
# from inside, hurt, and shut down. Needs root and, the first time, the network. Everything stays under build/vm.
#   VMTEST_SUITE=trixie  the other Debian      VMTEST_KEEP=1  keep the root and the disk image
#   VMTEST_PYTHON=PATH   a Python that has this tree installed; .venv's otherwise (PYTHON is what make builds .venv with)
set -euo pipefail
cd "$(dirname "$0")/.."
tree=$PWD
suite=${VMTEST_SUITE:-bookworm}
host_python=${VMTEST_PYTHON:-$tree/.venv/bin/python}
vm=$tree/build/vm/$suite
# software emulation, on a machine that may be busy with other things
BOOT_SECONDS=600
CHECK_SECONDS=2400

die() {
  echo "vmtest: $*" >&2
  exit 1
}
step() { printf '%4d s  %s\n' "$SECONDS" "$*"; }

[ "$(id -u)" = 0 ] || { echo "vmtest: needs root: it makes a Debian root and runs the bootstrap in it" >&2; exit 2; }
case $suite in bookworm) python=3.11 ;; trixie) python=3.13 ;; *) echo "vmtest: no suite $suite" >&2; exit 2 ;; esac
wanted=()
for pair in mmdebstrap:mmdebstrap qemu-system-x86_64:qemu-system-x86 mke2fs:e2fsprogs curl:curl; do
  command -v "${pair%%:*}" >/dev/null || wanted+=("${pair##*:}")
done
if [ ${#wanted[@]} -gt 0 ]; then
  step "installing ${wanted[*]}"
  { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${wanted[@]}"; } \
    >/dev/null || die "could not install ${wanted[*]}"
fi
mkdir -p "$vm"

qemu=
clean_up() {
  if [ -n "$qemu" ]; then kill "$qemu" 2>/dev/null || true; fi
  # mounts are made in a mount namespace of their own and are gone with it; nothing here has to be unmounted
  [ -n "${VMTEST_KEEP:-}" ] || rm -rf "$vm/root" "$vm/disk.img"
}
trap clean_up EXIT

# A Debian with a kernel, from the same mirror as this machine.
include=linux-image-cloud-amd64,initramfs-tools,systemd-sysv,udev,kmod,python3,ca-certificates
base=$vm/base-$(sha256sum <<<"$suite $include" | cut -c1-12).tar
if [ ! -f "$base" ]; then
  step "making a minimal $suite"
  # shellcheck source=/dev/null
  running=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
  sources=/etc/apt/sources.list.d/debian.sources name=mirror.sources
  if [ ! -f $sources ]; then sources=/etc/apt/sources.list name=mirror.list; fi
  sed "s/\b$running\b/$suite/g" $sources >"$vm/$name"
  rm -f "$vm"/base-*.tar
  nice mmdebstrap --quiet --mode=root --format=tar --variant=minbase --include=$include --aptopt='APT::Install-Recommends "false"' \
    "$suite" "$base.part" - <"$vm/$name" >"$vm/mmdebstrap.log" 2>&1 ||
    { tail -n 20 "$vm/mmdebstrap.log" >&2; die "no Debian root (see $vm/mmdebstrap.log)"; }
  mv "$base.part" "$base"
fi

wheels=$vm/wheels
stamp=$wheels/.$(cat pyproject.toml constraints/pi${python/./}.txt provisioning/wheels.sh | sha256sum | cut -c1-12)
if [ ! -f "$stamp" ]; then
  step "gathering the Python packages"
  rm -rf "$wheels"
  nice provisioning/wheels.sh --python $python --arch x86_64 --with "$host_python" "$wheels" >"$vm/wheels.log" 2>&1 ||
    { tail -n 20 "$vm/wheels.log" >&2; die "no packages (see $vm/wheels.log)"; }
  touch "$stamp"
fi
if [ ! -f "$vm/clip.mp4" ]; then
  step "making a clip"
  nice "$host_python" - "$vm/clip.mp4" <<'PYTHON'
import sys
from pathlib import Path

import numpy as np

from edge.demo.clip import write_clip

random = np.random.default_rng(1)
wall = np.tile(np.linspace(30, 200, 320, dtype=np.uint8)[None, :, None], (240, 1, 3))
write_clip(Path(sys.argv[1]), (wall + random.integers(0, 12, wall.shape, dtype=np.uint8) for _ in range(60)), 10, 300_000)
PYTHON
fi

step "bootstrapping it"
root=$vm/root
rm -rf "$root"
mkdir -p "$root" "$vm/debs"
tar -C "$root" -xf "$base"
mkdir -p "$root/usr/src/examroom" "$root/etc/examroom" "$root/var/lib/vmtest"
cp -R systemd provisioning constraints "$root/usr/src/examroom/"
provisioning/copy-tree.sh "$tree" "$root/usr/src/examroom"
cp "$vm/clip.mp4" "$root/var/lib/vmtest/"
cp provisioning/vmtest_guest.py "$root/var/lib/vmtest/check.py"
# what this box has instead of a camera; all else is as delivered
sed -e 's/^backend = "picamera2"/backend = "file"/' -e 's|^source = "0"|source = "/var/lib/vmtest/clip.mp4"|' \
  provisioning/examroom.toml >"$root/etc/examroom/examroom.toml"
echo vmtest >"$root/etc/hostname"
echo '/dev/vda / ext4 rw,noatime 0 1' >"$root/etc/fstab"
mkdir -p "$root/etc/systemd/network"
printf '[Match]\nName=e*\n[Network]\nDHCP=ipv4\n' >"$root/etc/systemd/network/80-vmtest.network"
cat >"$root/etc/systemd/system/vmtest.service" <<'UNIT'
[Unit]
Description=vmtest

[Service]
ExecStart=/usr/bin/python3 -u /var/lib/vmtest/check.py
ExecStopPost=/usr/bin/systemctl --no-block poweroff
StandardOutput=tty
StandardError=tty
TTYPath=/dev/ttyS0

[Install]
WantedBy=multi-user.target
UNIT
cat >"$vm/inside.sh" <<'INSIDE'
set -eu
root=$1 vm=$2
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mkdir -p "$root/mnt/wheels"
mount --bind -o ro "$vm/wheels" "$root/mnt/wheels"
mount --bind "$vm/debs" "$root/var/cache/apt/archives"
mkdir -p "$root/var/cache/apt/archives/partial"
if [ -e /etc/resolv.conf ]; then cat /etc/resolv.conf >"$root/etc/resolv.conf"; fi
printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d" && chmod +x "$root/usr/sbin/policy-rc.d"
run() { env -i PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 chroot "$root" "$@"; }
bootstrap="/usr/src/examroom/provisioning/bootstrap.sh --offline-wheels /mnt/wheels"
run $bootstrap
echo "---- again"
run $bootstrap
run examroom enrol --local "虚拟机 VM" --room R-VM
run systemctl --quiet enable vmtest.service systemd-networkd.service
run systemctl --quiet mask serial-getty@ttyS0.service
rm -f "$root/usr/sbin/policy-rc.d" "$root/etc/resolv.conf"
INSIDE
unset PIP_FIND_LINKS
nice unshare --mount --pid --fork --kill-child --propagation private bash "$vm/inside.sh" "$root" "$vm" >"$vm/bootstrap.log" 2>&1 ||
  { tail -n 40 "$vm/bootstrap.log" >&2; die "the bootstrap failed (see $vm/bootstrap.log)"; }
[ "$(grep -c '^保留 / kept' "$vm/bootstrap.log")" = 2 ] || die "the bootstrap did not keep the configuration"

step "making its disk"
cp "$root"/boot/vmlinuz-* "$vm/vmlinuz"
cp "$root"/boot/initrd.img-* "$vm/initrd"
cp "$root/etc/examroom/tls/ca.crt" "$vm/ca.crt"
rm -f "$vm/disk.img"
truncate -s 6G "$vm/disk.img"
mke2fs -q -t ext4 -d "$root" "$vm/disk.img"
rm -rf "$root"

port=$("$host_python" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
step "booting it (console: $vm/console.log)"
rm -f "$vm/console.log"
nice qemu-system-x86_64 -accel tcg,thread=multi -cpu max -smp 2 -m 1536 -nodefaults -no-reboot -display none \
  -kernel "$vm/vmlinuz" -initrd "$vm/initrd" -append "root=/dev/vda rw console=ttyS0 systemd.show_status=1 net.ifnames=1" \
  -drive "file=$vm/disk.img,format=raw,if=virtio,cache=unsafe" -device virtio-rng-pci \
  -netdev "user,id=n,restrict=on,hostfwd=tcp:127.0.0.1:$port-:443" -device virtio-net-pci,netdev=n \
  -serial "file:$vm/console.log" >"$vm/qemu.log" 2>&1 &
qemu=$!
booted=$SECONDS

get() { curl --silent --max-time 20 --cacert "$vm/ca.crt" "$@"; }
address=https://127.0.0.1:$port
until get --fail --output "$vm/exam.html" "$address/exam/"; do
  kill -0 "$qemu" 2>/dev/null || { tail -n 30 "$vm/console.log" "$vm/qemu.log" >&2; die "the machine stopped"; }
  [ $((SECONDS - booted)) -lt $BOOT_SECONDS ] || { tail -n 60 "$vm/console.log" >&2; die "no exam page in $BOOT_SECONDS s"; }
  sleep 1
done
step "the exam page answered $((SECONDS - booted)) s after power-on"

missed=0
miss() {
  echo "vmtest: MISS outside: $*" >&2
  missed=1
}
grep -q '<html[^>]*lang="zh' "$vm/exam.html" || miss "the exam page is not a Chinese page"
[ "$(get "$address/healthz")" = '{"ok":true}' ] || miss "/healthz"
get "$address/ui/static/base.css" | cmp -s - edge/ui/static/base.css || miss "static files by nginx"
get --head "$address/ui/static/base.css" | grep -qi '^server: nginx' || miss "static files are not nginx's"
for file in edge/web/*/static/*.css; do
  person=$(basename "$(dirname "$(dirname "$file")")")
  get "$address/$person/static/$(basename "$file")" | cmp -s - "$file" || miss "$file"
done
get --head "$address/exam/static/js/main.js" | grep -qi '^content-type: [a-z]*/javascript' || miss "scripts are no scripts"
# the box's own screen is the kiosk unpaired; whoever comes through nginx is not, whatever he writes in the header
code=$(get --output /dev/null --write-out '%{http_code}' -H 'X-Forwarded-For: 127.0.0.1' "$address/kiosk/api/state")
[ "$code" = 401 ] || miss "a stranger at the kiosk's API got $code"
codes=$(get --no-progress-meter --parallel --parallel-max 40 --output /dev/null --write-out '%{http_code}\n' "$address/staff/login?n=[1-60]" || true)
grep -q 429 <<<"$codes" || miss "60 sign-in pages at once and no 429: $(sort <<<"$codes" | uniq -c | tr '\n' ' ')"
get --output /dev/null "$address/healthz?vmtest-go" || miss "not there any more"

step "looked at from outside; now the checks inside"
until grep -qE '^vmtest: (PASS|FAIL)' "$vm/console.log"; do
  kill -0 "$qemu" 2>/dev/null || break
  [ $((SECONDS - booted)) -lt $CHECK_SECONDS ] || { tail -n 60 "$vm/console.log" >&2; die "no verdict in $CHECK_SECONDS s"; }
  sleep 1
done
grep -a '^vmtest: ' "$vm/console.log" | tr -d '\r' || true
for _ in $(seq 60); do
  kill -0 "$qemu" 2>/dev/null || break
  sleep 1
done
if kill -0 "$qemu" 2>/dev/null; then miss "it does not power off"; else qemu=; fi
grep -aq '^vmtest: PASS' "$vm/console.log" || missed=1
if [ $missed = 1 ]; then die "failed after $SECONDS s"; fi
echo "vmtest: passed in $SECONDS s ($suite)"
