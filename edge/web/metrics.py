"""How the recording goes, as text for a monitoring system on the box itself (Prometheus' exposition format 0.0.4).

Asked from elsewhere it is refused, since the names of cameras and the moments of their faults are nobody's business in
the room; a collector on the box, or a tunnel, passes them on.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Response

from edge import clock
from edge.config import Config
from edge.errors import Refused
from edge.store import recorders
from edge.store.reserve import free_bytes
from edge.store.status import read_statuses
from edge.web.kiosk.api import from_the_box
from edge.web.room import room

_FAMILIES = (
    ("examroom_camera_up", "gauge", "1 while the camera records as it should, 0 otherwise."),
    ("examroom_camera_behind_seconds", "gauge", "Age of the oldest picture that waits for the disk."),
    ("examroom_camera_written_bytes_total", "counter", "Bytes of footage written since the process started."),
    ("examroom_camera_dropped_frames_total", "counter", "Pictures that were not recorded since the process started."),
    ("examroom_camera_lost_seconds_total", "counter", "Footage lost to a slow disk since the process started."),
    ("examroom_camera_look_cpu_ratio", "gauge", "Share of a core spent on pictures for faces, decoding included."),
    ("examroom_camera_bitrate_ratio", "gauge", "Share of the configured bitrate that the camera is asked for."),
)


def metrics() -> Response:
    """GET /metrics. Refused (`metrics_elsewhere`) to anybody but the box itself."""
    if not from_the_box():
        raise Refused("metrics_elsewhere")
    config = room().config
    statuses = read_statuses(config.paths.status)
    return Response(exposition(config, statuses, clock.mono_ms()), content_type="text/plain; version=0.0.4")


def exposition(config: Config, statuses: Mapping[str, Mapping[str, Any]], now_ms: int) -> str:
    """The text; a camera whose process says nothing has no values but `up` 0."""
    lines = list[str]()
    faults = recorders.faults(config.camera, statuses, now_ms)
    said = {name: _values(statuses.get(recorders.PREFIX + name, {})) for name in config.camera}
    for n, (family, kind, about) in enumerate(_FAMILIES):
        lines += [f"# HELP {family} {about}", f"# TYPE {family} {kind}"]
        for name in config.camera:
            silent = name in faults and faults[name][0] == recorders.SILENT
            value = float(name not in faults) if n == 0 else None if silent else said[name][n - 1]
            lines += [f'{family}{{camera="{name}"}} {value:.15g}'] if value is not None else []
    lines += ["# HELP examroom_disk_free_bytes Space left.", "# TYPE examroom_disk_free_bytes gauge"]
    for disk, folder in (("state", config.paths.state), ("recordings", config.paths.recordings)):
        if folder.exists():
            lines.append(f'examroom_disk_free_bytes{{disk="{disk}"}} {free_bytes(folder)}')
    return "\n".join([*lines, ""])


def _values(status: Mapping[str, Any]) -> tuple[float | None, ...]:
    """In the order of `_FAMILIES`, after the first."""

    def of(key: str, unit: float) -> float | None:
        found = status.get(key)
        return found / unit if isinstance(found, int | float) else None

    first = of("behind_ms", 1000), of("bytes", 1), of("dropped", 1), of("lost_ms", 1000)
    return *first, of("look_cpu", 1), of("bitrate_percent", 100)
