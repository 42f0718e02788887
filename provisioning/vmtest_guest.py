"""The checks of vmtest.sh inside the machine, printed to its console. Needs Debian's Python only."""

from __future__ import annotations

import json
import os
import pwd
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

SERVICES = ["examroom-camera@door", "examroom-checkin", "examroom-web", "examroom-uplink"]
STATUS = Path("/run/examroom/status")
RECORDINGS = Path("/var/lib/examroom-recordings")
# what the room promises; nothing is added for the emulation
STOP_SECONDS = 5.0
missed: list[str] = []


def say(words: str) -> None:
    print(f"vmtest: {words}", flush=True)


def check(what: str, good: object, seen: object = "") -> None:
    say(f"{'ok  ' if good else 'MISS'} {what}{f' ({seen})' if seen != '' else ''}")
    if not good:
        missed.append(what)


def systemctl(*words: str) -> str:
    done = subprocess.run(["systemctl", *words], capture_output=True, text=True, check=False)
    return done.stdout.strip()


def show(unit: str, name: str) -> str:
    return systemctl("show", "-P", name, unit)


def pid(unit: str) -> int:
    return int(show(unit, "MainPID"))


def status(name: str) -> dict[str, object]:
    try:
        found: dict[str, object] = json.loads((STATUS / f"{name}.json").read_text())
    except (OSError, ValueError):
        return {}
    return found


def fresh(name: str, **wanted: object) -> bool:
    """Whether the service has spoken in the last 3 s, as its present process, and said `wanted`."""
    said = status(name)
    age = time.clock_gettime(time.CLOCK_BOOTTIME) * 1000 - float(str(said.get("mono_ms", 0)))
    return age < 3000 and all(said.get(key) == value for key, value in wanted.items())


def get(path: str) -> int:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:8080{path}", timeout=20) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


def within(seconds: float, condition: Callable[[], object]) -> float | None:
    """Seconds until `condition` held; None when it did not in time."""
    began = time.monotonic()
    while time.monotonic() - began < seconds:
        if condition():
            return round(time.monotonic() - began, 1)
        time.sleep(0.2)
    return None


def all_active() -> bool:
    return all(state == "active" for state in systemctl("is-active", *SERVICES).split())


def all_well() -> bool:
    return (
        all_active()
        and get("/healthz") == 200
        and fresh("camera-door", state="recording")
        and fresh("checkin")
        and fresh("web", state="serving")
        and fresh("uplink", state="alone")
    )


def restarts() -> dict[str, str]:
    return {unit: show(unit, "NRestarts") for unit in SERVICES}


def others(unit: str) -> dict[str, int]:
    return {other: pid(other) for other in SERVICES if other != unit}


def journal(*options: str) -> None:
    units = [word for unit in SERVICES for word in ("-u", unit)]
    subprocess.run(["journalctl", "--no-pager", "-o", "short-monotonic", *options, *units], check=False)


def up() -> None:
    took = within(240, all_well)
    check("all services active, and each says it works", took is not None, took)
    for unit in [*SERVICES, "nginx", "examroom.target", "examroom-rehearse.path"]:
        state = systemctl("is-active", unit)
        check(unit, state == "active", state)
    check("no service was restarted", set(restarts().values()) == {"0"}, restarts())
    if missed:
        journal()
    for name in ("camera-door", "checkin", "web", "uplink"):
        said = status(name)
        say(f"     {name}: {said.get('state')} {said.get('reason')}")
    check("the face pack is loaded", not str(status("checkin").get("reason")).startswith("pack_"))
    check("the kiosk of the box's own screen", get("/kiosk/api/state") == 200)
    check("footage is written", within(30, lambda: list(RECORDINGS.rglob("*.mp4"))) is not None)


def locked_in() -> None:
    for unit in SERVICES:
        process = Path(f"/proc/{pid(unit)}")
        owner = pwd.getpwuid(process.stat().st_uid).pw_name
        facts = dict(line.split(":\t", 1) for line in (process / "status").read_text().splitlines() if ":\t" in line)
        held = owner == "examroom" and facts["NoNewPrivs"] == "1" and facts["Seccomp"] == "2"
        none = facts["CapEff"].strip("0") == "" and facts["CapBnd"].strip("0") == ""
        check(f"{unit} has no privileges", held and none, owner)
    exposed = [line.split() for line in _exposures() if line.startswith("examroom-")]
    say("     exposure by systemd-analyze: " + ", ".join(f"{words[0]} {words[1]}" for words in exposed))


def _exposures() -> list[str]:
    units = [f"{unit}.service" for unit in SERVICES]
    done = subprocess.run(
        ["systemd-analyze", "--no-pager", "security", *units], capture_output=True, text=True, check=False
    )
    if done.stdout.startswith("UNIT") or len(units) == 1:
        return done.stdout.splitlines()
    found = [line for line in done.stdout.splitlines() if "Overall exposure level" in line]
    return [line.split("for ", 1)[1].replace(":", "") for line in found]


def replaced(unit: str, before: int) -> Callable[[], bool]:
    return lambda: pid(unit) not in (0, before) and systemctl("is-active", unit) == "active"


def killed() -> None:
    for unit, well in (
        ("examroom-web", lambda: get("/healthz") == 200),
        ("examroom-camera@door", lambda: fresh("camera-door", state="recording")),
        ("examroom-checkin", lambda: fresh("checkin")),
        ("examroom-uplink", lambda: fresh("uplink")),
    ):
        before, rest = pid(unit), others(unit)
        systemctl("kill", "-s", "KILL", unit)
        took = within(60, replaced(unit, before))
        again = within(60, well)
        check(f"{unit} killed: it is back", took is not None and again is not None, f"{took} s + {again} s")
        check("     and nobody else noticed", others(unit) == rest)


def hung() -> None:
    """A stopped process feeds no watchdog: 30 s, then SIGABRT, then 8 s, then SIGKILL."""
    kept = {unit: pid(unit) for unit in ("examroom-web", "examroom-camera@door")}
    before = {unit: pid(unit) for unit in ("examroom-uplink", "examroom-checkin")}
    for unit in before:
        systemctl("kill", "-s", "STOP", unit)
    took = within(90, lambda: all(pid(unit) not in (0, was) for unit, was in before.items()) and all_active())
    check("two hung services restarted by the watchdog", took is not None, took)
    worker = int(Path(f"/proc/{kept['examroom-web']}/task/{kept['examroom-web']}/children").read_text().split()[0])
    check("     and web and camera went on", all(pid(unit) == was for unit, was in kept.items()))
    os.kill(worker, 19)
    took = within(90, lambda: pid("examroom-web") not in (0, kept["examroom-web"]) and get("/healthz") == 200)
    check("web with a hung worker restarted by the watchdog", took is not None, took)


def stopping_seconds(unit: str) -> float:
    """From systemd's SIGTERM to the end of the last process, by systemd's own clock."""
    left, ended = (int(show(unit, f"{name}TimestampMonotonic")) for name in ("ActiveExit", "InactiveEnter"))
    return round((ended - left) / 1e6, 1)


def stopped() -> None:
    """One by one in 5 s; all at once, on this slow machine, in the 8 s after which systemd would kill."""
    for unit in SERVICES:
        systemctl("stop", unit)
        took, result = stopping_seconds(unit), show(unit, "Result")
        check(f"{unit} stops within {STOP_SECONDS:.0f} s", took <= STOP_SECONDS and result == "success", f"{took} s")
    user = pwd.getpwnam("examroom").pw_uid
    left = [process for process in Path("/proc").glob("[0-9]*") if process.stat().st_uid == user]
    check("     and no process is left", not left, len(left))
    systemctl("start", "examroom.target")
    took_up = within(240, all_well)
    check("the target starts them all again", took_up is not None, took_up)
    systemctl("stop", "examroom.target")
    ended = within(20, lambda: all(s == "inactive" for s in systemctl("is-active", *SERVICES).split()))
    results = {show(unit, "Result") for unit in SERVICES}
    took_each = {unit: stopping_seconds(unit) for unit in SERVICES}
    check("the target stops them all, and nobody is killed", ended is not None and results == {"success"}, took_each)


ASK = """
from pathlib import Path
from edge import clock
from edge.ops.rehearsal.asking import Wanted, ask
ask(Path("/run/examroom"), Wanted(candidates=2, by="vmtest", mono_ms=clock.mono_ms(), pace_ms=500))
"""


def rehearsed() -> None:
    """A rehearsal asked for as `web` asks is held by its own unit, beside the services, and leaves nothing."""
    before = {unit: pid(unit) for unit in SERVICES}
    subprocess.run(["runuser", "-u", "examroom", "--", "/opt/examroom/bin/python", "-c", ASK], check=True)
    took = within(600, lambda: status("rehearse").get("state") in ("done", "refused", "stopped", "failed"))
    check("a rehearsal that was asked for is held", status("rehearse").get("state") == "done", status("rehearse"))
    ended = within(30, lambda: systemctl("is-active", "examroom-rehearse.service") == "inactive")
    check("     its unit has ended well", ended is not None and show("examroom-rehearse", "Result") == "success", took)
    check("     its path waits for the next", systemctl("is-active", "examroom-rehearse.path") == "active")
    check("     and nothing is left of it", not Path("/var/lib/examroom/scratch").exists())
    check("     and no service was restarted", all(pid(unit) == was for unit, was in before.items()))


def main() -> None:
    try:
        up()
        locked_in()
        memory = {unit: int(show(unit, "MemoryCurrent")) // 1_000_000 for unit in SERVICES}
        say(f"     memory in MB: {memory}")
        log = Path("/var/log/nginx/access.log")
        visited = within(240, lambda: log.exists() and "vmtest-go" in log.read_text())
        check("the look from outside is over", visited is not None, visited)
        rehearsed()
        killed()
        hung()
        stopped()
    except Exception as error:
        check("the checks ran to the end", False, repr(error))
    if missed:
        journal("-n", "300")
    say("PASS" if not missed else f"FAIL {len(missed)}: {'; '.join(missed)}")


main()
