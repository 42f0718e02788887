"""The demo's room and its province in one folder: configuration, gateway, enrolment, bundles, processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests

from edge import clock
from edge.bank.build import content_of, sample_bank
from edge.config import ENVIRONMENT, Config, load_config
from edge.demo import people
from edge.demo.clip import build_clip
from edge.domain.canonical import canonical
from edge.errors import BadInput, Unavailable
from edge.gateway.bundles import publish
from edge.gateway.rooms import issue_token
from edge.gateway.settings import init_gateway, open_province
from edge.services.supervisor import read_pids
from edge.store.status import read_statuses
from edge.uplink.enrol import enrol
from edge.vision import packs

ROOM, SESSION, CAMERA = "demo-room", "DEMO-1", "door"
STATIONS = [
    {"id": "yard-1", "title": "一号工位", "camera": CAMERA, "rubric": "P01"},
    {"id": "yard-2", "title": "二号工位", "camera": CAMERA, "rubric": "P01"},
]
WAIT_SECONDS = 60.0


@dataclass
class DemoRoom:
    """A folder with a room, a gateway and everything they leave behind."""

    out: Path
    web_port: int
    gateway_port: int
    camera_device: str | None = None
    sections: list[dict[str, Any]] = field(default_factory=list)
    _run: subprocess.Popen[bytes] | None = None
    _gateway: subprocess.Popen[bytes] | None = None

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.web_port}"

    @property
    def gateway_url(self) -> str:
        return f"https://127.0.0.1:{self.gateway_port}"

    @property
    def gateway_folder(self) -> Path:
        return self.out / "gateway"

    @property
    def config_file(self) -> Path:
        return self.out / "examroom.toml"

    @property
    def config(self) -> Config:
        return load_config(self.config_file)

    @property
    def reader(self) -> Path:
        """The pipe the virtual card reader types into."""
        return self.out / "run" / "reader"

    @property
    def button(self) -> Path:
        """The pipe that drives the mock pin of the button."""
        return self.out / "run" / "button"

    @property
    def logs(self) -> Path:
        """A log a process."""
        return self.out / "logs"

    def wait_for(self, condition: Callable[[], Any], what: str, seconds: float = WAIT_SECONDS) -> Any:
        """What `condition` gives once it is true. Unavailable, naming `what`, when that takes too long."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            found = condition()
            if found:
                return found
            time.sleep(0.1)
        raise Unavailable("demo_waited", what=what, seconds=round(seconds), logs=self.logs)

    # ---- making it

    def prepare(self, tick: Callable[[float, str], None]) -> None:
        """The camera's clip, the face pack and the configuration."""
        (self.out / "run").mkdir(parents=True, exist_ok=True)
        clip = self.out / "camera.mp4"
        if self.camera_device is None:
            sections = build_clip(clip, lambda done, of: tick(0.7 * done / of, "camera clip 摄像头画面"))
            self.sections = [dict(section) for section in sections]
        models = self.out / "models"
        packs.install("dlib", models, lambda share, _text: tick(0.7 + 0.25 * share, "face pack 人脸模型"))
        self.config_file.write_text(self._toml(clip, models))
        tick(1.0, "")

    def _toml(self, clip: Path, models: Path) -> str:
        camera = {"backend": "file", "source": str(clip), "width": 960, "height": 540, "face_fps": 8.0}
        if self.camera_device is not None:
            camera = {"backend": "v4l2", "source": self.camera_device, "width": 1280, "height": 720, "face_fps": 8.0}
        sections: dict[str, dict[str, Any]] = {
            "paths": {
                "state": str(self.out / "room"),
                "runtime": str(self.out / "run"),
                "recordings": str(self.out / "recordings"),
                "models": str(models),
            },
            "web": {"host": "127.0.0.1", "port": self.web_port, "threads": 64},
            f"camera.{CAMERA}": camera | {"fps": 15},
            "badge": {"backend": "events", "device": str(self.reader), "debounce_ms": 300},
            "panel": {"backend": "gpio", "pin_factory": "mock", "control": str(self.button)},
            "checkin": {"camera": CAMERA, "pack": "dlib", "show_seconds": 2.0},
            "recording": {"segment_seconds": 20},
            "gateway": {
                "url": self.gateway_url,
                "ca": str(self.gateway_folder / "tls" / "ca.pem"),
                "poll_seconds": 2.0,
                "timeout_seconds": 5.0,
            },
            "ledger": {"checkpoint_seconds": 5.0},
        }
        lines: list[str] = []
        for name, options in sections.items():
            lines += [f"[{name}]", *(f"{key} = {json.dumps(value)}" for key, value in options.items()), ""]
        return "\n".join(lines)

    def found_province(self) -> None:
        """A gateway with its keys, its certificate and a token for the room."""
        init_gateway(self.gateway_folder, "demo-gateway", "示例省网关", (), "")

    def enrol(self) -> None:
        """The room becomes itself over HTTPS, with the one-time token."""
        province = open_province(self.gateway_folder)
        try:
            token = issue_token(province, ROOM, "示例建筑工种培训学校", None)
        finally:
            province.close()
        enrol(self.config, self.gateway_url, self.gateway_folder / "tls" / "ca.pem", token)

    def publish(self) -> None:
        """The province releases bank, policy and the session's roster."""
        self._publish(
            ("bank", sample_bank().bank, content_of(sample_bank())),
            ("policy", "policy", canonical(people.POLICY)),
            ("roster", SESSION, canonical(people.roster(SESSION, clock.wall_ms()) | {"stations": STATIONS})),
        )

    def publish_another(self, session: str) -> None:
        """One more session of the same class of people, by the bank that is there."""
        self._publish(("roster", session, canonical(people.roster(session, clock.wall_ms()))))

    def _publish(self, *documents: tuple[Any, str, bytes]) -> None:
        province = open_province(self.gateway_folder)
        try:
            for kind, name, content in documents:
                publish(province, kind, name, content, [ROOM])
        finally:
            province.close()

    # ---- running it

    def start_gateway(self) -> None:
        self._spawn_gateway()
        ca = str(self.gateway_folder / "tls" / "ca.pem")
        self.wait_for(lambda: _answers(f"{self.gateway_url}/v1/health", ca), "gateway")

    def restart_gateway(self) -> None:
        """Without waiting for it: code that does not run yet is mended by the next change."""
        self.stop_gateway()
        self._spawn_gateway()

    def _spawn_gateway(self) -> None:
        command = ["gateway", "serve", "--dir", str(self.gateway_folder), "--port", str(self.gateway_port)]
        self._gateway = self._spawn(command, "gateway")

    def stop_gateway(self) -> None:
        _end(self._gateway)
        self._gateway = None

    def start(self) -> None:
        self._run = self._spawn(["--config", str(self.config_file), "run", "--logs", str(self.logs)], "run")
        self.wait_for(lambda: _answers(f"{self.base}/healthz", True), "web")

    def wait_for_camera(self) -> None:
        """Until it gives pictures. BadInput with the camera's own sentence once it has said that it cannot open."""
        paths = self.config.paths

        def gives() -> bool:
            if paths.ring(CAMERA).exists():
                return True
            status = read_statuses(paths.status).get(f"camera-{CAMERA}", {})
            if status.get("state") == "camera_missing":
                raise BadInput(status["reason"], **status["facts"])
            return False

        self.wait_for(gives, "camera")

    def stop(self) -> None:
        _end(self._run)
        self._run = None

    def pid(self, service: str) -> int | None:
        return read_pids(self.config.paths.runtime).get(service)

    def kill(self, service: str) -> None:
        """SIGKILL to the service's whole process group, as a power cut to it alone."""
        pid = self.pid(service)
        if pid is None:
            raise Unavailable("demo_waited", what=service, seconds=0, logs=self.logs)
        os.killpg(pid, signal.SIGKILL)

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        """One `examroom` command against this room."""
        full = [sys.executable, "-m", "edge.cli", "--config", str(self.config_file), *words]
        return subprocess.run(full, capture_output=True, text=True, check=False)

    def _spawn(self, words: list[str], log: str) -> subprocess.Popen[bytes]:
        self.logs.mkdir(parents=True, exist_ok=True)
        environment = os.environ | {ENVIRONMENT: str(self.config_file)}
        with (self.logs / f"{log}.log").open("ab") as out:
            command = [sys.executable, "-m", "edge.cli", *words]
            return subprocess.Popen(command, env=environment, stdout=out, stderr=out, start_new_session=True)


def _answers(url: str, verify: str | bool) -> bool:
    try:
        return requests.get(url, timeout=2, verify=verify).ok
    except requests.RequestException:
        return False


def _end(process: subprocess.Popen[bytes] | None) -> None:
    if process is None:
        return
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(10)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
