"""Which cameras record, by what their processes say of themselves, and which stations are not seen by one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from edge import clock
from edge.store.practical import Station

OLD_MS = 15_000
"""A process that has said nothing for so long is not there."""
_PREFIX = "camera-"


def recording(statuses: Mapping[str, Mapping[str, Any]]) -> frozenset[str]:
    """Names of the cameras that record now. `statuses`: as `edge.store.status.read_statuses` gives them."""
    return frozenset(
        name.removeprefix(_PREFIX)
        for name, said in statuses.items()
        if name.startswith(_PREFIX)
        and said.get("state") == "recording"
        and clock.mono_ms() - int(said.get("mono_ms", 0)) < OLD_MS
    )


def unseen(stations: Iterable[Station], statuses: Mapping[str, Mapping[str, Any]]) -> list[dict[str, str]]:
    """Stations whose camera is `absent` (the room has none of that name) or `off` (it does not record)."""
    on = recording(statuses)
    return [
        {
            "station": station.id,
            "title": station.title,
            "camera": station.camera,
            "why": "off" if _PREFIX + station.camera in statuses else "absent",
        }
        for station in stations
        if station.camera is not None and station.camera not in on
    ]
