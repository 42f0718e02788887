"""`examroom demo` around its story: what it leaves when it breaks off, its options, its waiting, its watch on code."""

from __future__ import annotations

import itertools
import json
import signal
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NoReturn

import pytest
from click.testing import CliRunner, Result
from rich.console import Console

from edge.demo import checks, commands, reload
from edge.demo.room import CAMERA, DemoRoom
from edge.errors import BadInput, Unavailable
from edge.store.status import write_status

# of the table that the issue asks for
KEYS = {"admitted", "refused", "manual", "by_policy", "acknowledged", "stored", "results", "receipts", "doubled"}
KEYS |= {"footage_expected_s", "footage_recorded_s", "gaps", "ledger_ok", "evidence", "flips_tried", "flips_named"}


@pytest.fixture
def room(tmp_path: Path) -> DemoRoom:
    made = DemoRoom(tmp_path, 1, 2, "7")
    (tmp_path / "run").mkdir()
    made.config_file.write_text(made._toml(tmp_path / "camera.mp4", tmp_path / "models"))
    return made


def run_demo(out: Path, *words: str) -> Result:
    return CliRunner().invoke(commands.demo, ["--out", str(out), *words])


def fail(*_arguments: object) -> NoReturn:
    raise Unavailable("demo_waited", what="gateway", seconds=60, logs="logs")


def halfway(_room: DemoRoom, _stages: object, summary: dict[str, Any]) -> None:
    summary["admitted"] = 30
    fail()


@pytest.mark.parametrize(("part", "broken", "admitted"), [("_set_up", fail, 0), ("_story", halfway, 30)])
def test_what_breaks_off_leaves_the_whole_table_and_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: str, broken: Callable[..., None], admitted: int
) -> None:
    monkeypatch.setattr(commands, "_set_up", lambda *_: None)
    monkeypatch.setattr(commands, part, broken)
    monkeypatch.setattr(commands, "time", SimpleNamespace(monotonic=itertools.count(100, 7.5).__next__))
    done = run_demo(tmp_path / "out")
    assert done.exit_code == 1
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert set(summary) >= KEYS
    assert (summary["admitted"], summary["receipts"], summary["gaps"], summary["evidence"]) == (admitted, 0, [], None)
    assert "gateway" in summary["error"]
    assert len(checks.misses(summary)) > 10
    assert summary["seconds"] == 7.5 and "seconds" in checks.nothing_yet()


@pytest.mark.parametrize(
    ("words", "told", "left"),
    [
        ((), True, None),
        (("--keep",), True, (False, "DEMO-2")),
        (("--only-room",), False, (False, "DEMO-1")),
        (("--only-room", "--reload"), False, (True, "DEMO-1")),
        (("--camera", "0"), False, (False, "DEMO-1")),
    ],
)
def test_what_each_option_leaves_running(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], told: bool, left: tuple[bool, str] | None
) -> None:
    heard: dict[str, object] = {}
    monkeypatch.setattr(commands, "_set_up", lambda room, _stages: heard.update(device=room.camera_device))
    monkeypatch.setattr(commands, "_story", lambda *_: heard.update(told=True))
    monkeypatch.setattr(commands, "_leave_running", lambda _room, _console, *how: heard.update(left=how))
    monkeypatch.setattr(DemoRoom, "publish_another", lambda _room, session: heard.update(another=session))
    monkeypatch.setattr(checks, "misses", lambda _summary: [])
    monkeypatch.setattr(commands, "time", SimpleNamespace(monotonic=itertools.count(100, 7.5).__next__))
    done = run_demo(tmp_path / "out", *words)
    assert done.exit_code == 0
    if told:
        took = json.loads((tmp_path / "out" / "summary.json").read_text())["seconds"]
        assert took == 7.5 and "7.5 s" in done.output.split("用时")[1], "the table says how long it took"
    assert (heard.get("told", False), heard.get("left")) == (told, left)
    assert heard["device"] == ("0" if "--camera" in words else None)
    assert heard.get("another") == ("DEMO-2" if "--keep" in words else None)


def test_a_room_left_running_says_every_address(
    room: DemoRoom, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    watched = list[DemoRoom]()
    monkeypatch.setattr(commands, "_open_doors", lambda _room, _session: ["123456"])
    monkeypatch.setattr(commands, "watch_code", lambda room, _stop: watched.append(room))
    monkeypatch.setattr(signal, "signal", lambda _number, _handler: None)
    monkeypatch.setattr(threading.Event, "wait", lambda _event, _seconds=None: True)
    commands._leave_running(room, Console(width=120), True, "DEMO-1")
    said = capsys.readouterr().out
    for path in ("kiosk", "exam", "console", "scoring", "spotcheck"):
        assert f"{room.base}/{path}/ " in said
    assert f"{room.gateway_url}/ " in said
    assert "123456" in said and str(room.out) in said
    for staff in (commands.PROCTOR, commands.EXAMINER, commands.SUPERVISOR):
        assert staff.badge in said and staff.pin in said
    assert watched == [room]


def test_a_camera_that_does_not_open_is_said_at_once(room: DemoRoom) -> None:
    said = {"state": "camera_missing", "reason": "camera_missing"}
    facts = {"camera": CAMERA, "source": "/dev/video7"}
    write_status(room.config.paths.status, f"camera-{CAMERA}", **said, facts=facts)
    with pytest.raises(BadInput) as refusal:
        room.wait_for_camera()
    assert (refusal.value.code, refusal.value.exit_code) == ("camera_missing", 2)
    assert "/dev/video7" in refusal.value.sentence("zh") and "/dev/video7" in refusal.value.sentence("en")
    room.config.paths.ring(CAMERA).touch()
    room.wait_for_camera()


def test_waiting_in_vain_names_the_logs_of_this_demo(room: DemoRoom) -> None:
    with pytest.raises(Unavailable) as refusal:
        room.wait_for(lambda: False, "camera", 0)
    assert all(str(room.out / "logs") in refusal.value.sentence(language) for language in ("zh", "en"))


class Edits(threading.Event):
    """Instead of a second's wait, the next thing that happens to the tree; after the last, the end."""

    def __init__(self, edits: Iterable[Callable[[], object]]) -> None:
        super().__init__()
        self.edits = iter(edits)

    def wait(self, timeout: float | None = None) -> bool:
        edit = next(self.edits, None)
        if edit is not None:
            edit()
        return edit is None


def test_each_change_of_the_code_starts_everything_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree, runtime = tmp_path / "tree", tmp_path / "run"
    (tree / "gateway").mkdir(parents=True)
    runtime.mkdir()
    page, contract = tree / "gateway" / "page.py", tree / "gateway" / "openapi.yaml"
    page.write_text("")
    (runtime / "pids").write_text("web 11 1\nuplink 12 1\n")
    heard = list[object]()
    room: Any = SimpleNamespace(
        config=SimpleNamespace(paths=SimpleNamespace(runtime=runtime)),
        restart_gateway=lambda: heard.append("gateway"),
    )
    monkeypatch.setattr("os.kill", lambda pid, number: heard.append((pid, number)))
    everything = [(11, signal.SIGTERM), (12, signal.SIGTERM), "gateway"]

    def after(edit: Callable[[], object]) -> list[object]:
        heard.clear()
        reload.watch_code(room, Edits([edit]), tree)
        return heard

    assert after(lambda: page.write_text("x = 1")) == everything
    assert after(lambda: contract.write_text("openapi: 3.1.0")) == everything
    assert after(lambda: contract.rename(tree / "other.yaml")) == everything
    assert after(page.unlink) == everything
    # what an editor does beside a file: Emacs' lock is a link to nowhere
    assert after(lambda: (tree / ".#cli.py").symlink_to("somebody@here.42")) == []
    assert after(lambda: (tree / "gone.py").symlink_to("nowhere.py")) == []
    assert after(lambda: (tree / "cli.py~").write_text("")) == []
