"""Which cameras record, by what their processes say of themselves, and which stations are not seen by one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from edge import clock
from edge.store.practical import Station
from edge.store.recorders import OLD_MS, PREFIX

_ON = ("recording", "soundless", "blind", "behind")  # late and not losing: all of it is there in the end


def recording(statuses: Mapping[str, Mapping[str, Any]]) -> frozenset[str]:
    """Names of the cameras that record now, blind ones too. `statuses`: as `edge.store.status.read_statuses` gives."""
    return frozenset(
        name.removeprefix(PREFIX)
        for name, said in statuses.items()
        if name.startswith(PREFIX)
        and said.get("state") in _ON
        and clock.mono_ms() - int(said.get("mono_ms", 0)) < OLD_MS
    )


def unseen(stations: Iterable[Station], statuses: Mapping[str, Mapping[str, Any]]) -> list[dict[str, str]]:
    """Stations whose camera is `absent` (none of that name), `off` (not recording) or `blind` (nothing to be seen)."""
    on = recording(statuses)
    found = list[dict[str, str]]()
    for station in stations:
        if station.camera is None:
            continue
        said = statuses.get(PREFIX + station.camera)
        why = "absent" if said is None else "off" if station.camera not in on else "blind"
        if why != "blind" or (said is not None and said["state"] == "blind"):
            found.append({"station": station.id, "title": station.title, "camera": station.camera, "why": why})
    return found
