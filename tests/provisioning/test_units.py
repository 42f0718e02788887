"""The unit files: what every service of the room must have, and that systemd itself accepts them."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from edge.config import Paths, parse_config
from edge.ops.rehearsal.asking import REQUEST
from edge.services.supervisor import service_names
from edge.services.watchdog import WATCHDOG_SECONDS

TREE = Path(__file__).parents[2]
SYSTEMD = TREE / "systemd"
COMMON = SYSTEMD / "examroom-.service.d" / "10-common.conf"
ONCE = SYSTEMD / "examroom-rehearse.service.d" / "20-once.conf"
SERVICES = ["camera@door", "checkin", "web", "uplink"]

Unit = dict[str, dict[str, list[str]]]


def read(*files: Path) -> Unit:
    """Sections of unit files, later ones added: every value of every key, in order."""
    found: Unit = {}
    section = ""
    for file in files:
        for line in file.read_text(encoding="utf-8").splitlines():
            if line.startswith("["):
                section = line.strip("[]")
            elif line and not line.startswith("#"):
                key, _, value = line.partition("=")
                found.setdefault(section, {}).setdefault(key, []).append(value)
    return found


def unit_of(service: str) -> Unit:
    """The unit of `service` with the drop-in that all of them share (which systemd reads after it)."""
    name = re.sub(r"@.*", "@", service)
    return read(SYSTEMD / f"examroom-{name}.service", COMMON)


def rehearsal() -> Unit:
    """The one unit that is no service of the room, with what systemd reads after it, in order."""
    return read(SYSTEMD / "examroom-rehearse.service", COMMON, ONCE)


def seconds(unit: Unit, key: str) -> float:
    return float(unit["Service"][key][-1])


def test_every_service_has_a_unit_and_every_unit_a_service() -> None:
    config = parse_config({"camera": {"door": {}}})
    assert service_names(config) == SERVICES
    kinds = {f"examroom-{re.sub('@.*', '@', name)}.service" for name in SERVICES}
    assert {file.name for file in SYSTEMD.glob("*.service")} == kinds | {"examroom-rehearse.service"}


@pytest.mark.parametrize("service", SERVICES)
def test_a_unit_starts_its_service_and_never_gives_up(service: str) -> None:
    unit = unit_of(service)
    name = service.replace("@door", "@%i")
    assert unit["Service"]["ExecStart"] == [f"/opt/examroom/bin/examroom service {name}"]
    assert unit["Service"]["User"] == ["examroom"]
    assert unit["Service"]["Type"] == ["notify"]
    assert unit["Service"]["Restart"] == ["always"]
    assert unit["Unit"]["StartLimitIntervalSec"] == ["0"]
    assert unit["Install"]["WantedBy"] == ["examroom.target"]
    assert unit["Unit"]["PartOf"] == ["examroom.target"]


@pytest.mark.parametrize("service", SERVICES)
def test_no_service_depends_on_another(service: str) -> None:
    unit = unit_of(service)["Unit"]
    assert not {"Requires", "Requisite", "BindsTo", "Upholds", "Conflicts"} & unit.keys()
    for key in ("Wants", "After", "Before"):
        assert not any("examroom" in value for value in unit.get(key, []))


@pytest.mark.parametrize("service", SERVICES)
def test_the_watchdog_is_slower_than_its_food_and_the_kill_slower_than_the_stop(service: str) -> None:
    unit = unit_of(service)
    # a feed may be late by one turn, and the status it looks at by two
    assert seconds(unit, "WatchdogSec") >= 4 * WATCHDOG_SECONDS
    assert 5 < seconds(unit, "TimeoutStopSec") <= 10
    assert unit["Service"]["KillMode"] == ["control-group"]
    # gunicorn's worker feeds for web; elsewhere only the main process may speak
    assert unit["Service"]["NotifyAccess"] == ["all" if service == "web" else "main"]


@pytest.mark.parametrize("service", [*SERVICES, "rehearse"])
def test_a_service_can_do_no_more_than_it_must(service: str) -> None:
    own = (unit_of(service) if service in SERVICES else rehearsal())["Service"]
    for key in (
        "NoNewPrivileges",
        "ProtectHome",
        "PrivateTmp",
        "ProtectClock",
        "ProtectKernelTunables",
        "ProtectKernelModules",
        "ProtectKernelLogs",
        "ProtectControlGroups",
        "RestrictNamespaces",
        "RestrictSUIDSGID",
        "LockPersonality",
    ):
        assert own[key] == ["yes"], key
    assert own["ProtectSystem"] == ["strict"]
    assert own["CapabilityBoundingSet"] == [""]
    assert own["DevicePolicy"] == ["closed"]
    assert own["SystemCallFilter"] == ["@system-service", "~@privileged"]
    assert own["LimitCORE"] == ["0"]


def test_a_rehearsal_is_started_by_its_request_and_ends() -> None:
    """Beside the services and not as one: no restart, no watchdog, no room for what it is not."""
    path, unit = read(SYSTEMD / "examroom-rehearse.path"), rehearsal()
    assert path["Path"]["PathExists"] == [str(Paths().runtime / REQUEST)]
    assert path["Install"]["WantedBy"] == path["Unit"]["PartOf"] == unit["Unit"]["PartOf"] == ["examroom.target"]
    assert "Install" not in unit
    own = unit["Service"]
    assert own["ExecStart"] == ["/opt/examroom/bin/examroom rehearse --requested"]
    assert (own["Type"][-1], own["Restart"][-1], own["WatchdogSec"][-1]) == ("oneshot", "no", "0")
    assert own["User"] == ["examroom"] and own["PrivateDevices"] == ["yes"] and own["IPAddressDeny"] == ["any"]
    assert own["SuccessExitStatus"] == ["1"], "a rehearsal that was not passed is no failed unit"
    web = unit_of("web")["Service"]
    for same in ("ReadWritePaths", "LimitNOFILE", "RestrictAddressFamilies"):
        assert own[same] == web[same], f"{same}: its scratch room has a web too"
    assert int(unit["Unit"]["StartLimitIntervalSec"][-1]) > 0 and ONCE.name > COMMON.name
    assert seconds(unit, "OOMScoreAdjust") > seconds(unit_of("checkin"), "OOMScoreAdjust")
    bootstrap = (TREE / "provisioning" / "bootstrap.sh").read_text()
    assert (
        "units=(examroom.target examroom-rehearse.path)" in bootstrap and f"{ONCE.parent.name}/{ONCE.name}" in bootstrap
    )


def test_devices_and_networks_go_to_those_who_need_them() -> None:
    units = {service: unit_of(service)["Service"] for service in SERVICES}
    for service in ("web", "uplink"):
        assert units[service]["PrivateDevices"] == ["yes"]
        assert "DeviceAllow" not in units[service]
        assert "AF_INET" in units[service]["RestrictAddressFamilies"][0].split()
    for service in ("camera@door", "checkin"):
        assert "PrivateDevices" not in units[service]
        assert "AF_INET" not in units[service]["RestrictAddressFamilies"][0].split()
        assert units[service]["IPAddressDeny"] == ["any"]
    assert "char-video4linux rw" in units["camera@door"]["DeviceAllow"]
    lines = [f"char-tty{kind} rw" for kind in ("USB", "ACM", "AMA", "S")]
    assert units["checkin"]["DeviceAllow"] == ["char-input rw", "char-gpiochip rw", *lines]


def test_a_network_camera_and_no_other_gets_at_the_network() -> None:
    """The site's own, and only through the drop-in that bootstrap.sh lays beside the unit of such a camera."""
    own = read(SYSTEMD / "examroom-camera@.service", SYSTEMD / "examroom-camera-rtsp.d/20-network.conf", COMMON)[
        "Service"
    ]
    assert own["RestrictAddressFamilies"] == ["AF_UNIX AF_NETLINK", "AF_INET AF_INET6"]
    assert own["IPAddressDeny"] == ["any"]
    assert "192.168.0.0/16" in " ".join(own["IPAddressAllow"]).split()
    assert "examroom-camera-rtsp.d/20-network.conf" in (SYSTEMD.parent / "provisioning/bootstrap.sh").read_text()


def test_what_a_service_writes_is_given_to_it() -> None:
    paths = Paths()
    for service in SERVICES:
        own = unit_of(service)["Service"]
        states = {f"/var/lib/{name}" for value in own["StateDirectory"] for name in value.split()}
        assert str(paths.state) in states
        assert (str(paths.recordings) in states) == (service in ("camera@door", "web", "uplink")), service
        runtimes = [name for value in own["RuntimeDirectory"] for name in value.split()]
        assert str(paths.runtime).removeprefix("/run/") in runtimes
        assert own["RuntimeDirectoryPreserve"] == ["yes"]
    checkin = unit_of("checkin")["Service"]
    assert checkin["WorkingDirectory"] == ["%t/examroom/checkin"]
    assert "examroom/checkin" in checkin["RuntimeDirectory"][0].split()


def test_answers_outlive_pictures_and_pictures_outlive_faces() -> None:
    order = ["web", "camera@door", "uplink", "checkin"]
    scores = [seconds(unit_of(service), "OOMScoreAdjust") for service in order]
    assert scores == sorted(scores)
    assert len(set(scores)) == len(scores)
    weights = {service: seconds(unit_of(service), "CPUWeight") for service in SERVICES}
    assert max(weights, key=lambda service: weights[service]) == "web"


def test_systemd_accepts_the_units(tmp_path: Path) -> None:
    """systemd-analyze verify, on a copy whose command exists here."""
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("this machine has no systemd-analyze; make vmtest boots the units")
    command = tmp_path / "examroom"
    command.write_text("#!/bin/sh\n")
    command.chmod(0o755)
    shutil.copytree(SYSTEMD, tmp_path / "units")
    for file in (tmp_path / "units").glob("*.service"):
        text = file.read_text(encoding="utf-8").replace("/opt/examroom/bin/examroom", str(command))
        if file.name.endswith("@.service"):
            file.unlink()
            file = file.with_name("examroom-camera@door.service")
        file.write_text(text, encoding="utf-8")
    names = [
        str(file)
        for pattern in ("*.service", "*.path", "*.target")
        for file in sorted((tmp_path / "units").glob(pattern))
    ]
    assert len(names) == len(SERVICES) + 3
    done = subprocess.run([analyze, "verify", "--man=no", *names], capture_output=True, text=True, check=False)
    ours = [line for line in done.stderr.splitlines() if "examroom" in line]
    assert ours == [], done.stderr
    assert done.returncode == 0, done.stderr


def test_systemd_would_say_so_if_a_unit_were_wrong(tmp_path: Path) -> None:
    """The check above can fail: a misspelt option is told."""
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("this machine has no systemd-analyze; make vmtest boots the units")
    wrong = tmp_path / "examroom-wrong.service"
    wrong.write_text("[Service]\nExecStart=/bin/true\nRestartSecs=1\n")
    done = subprocess.run([analyze, "verify", "--man=no", str(wrong)], capture_output=True, text=True, check=False)
    assert "RestartSecs" in done.stderr
