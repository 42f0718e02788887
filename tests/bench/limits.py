"""What the figures must be: one place for all of them. `make bench` and `make soak` hold what they find against these.

A figure that was not found (null, or not there) is a miss, too: what nobody has counted is not good. How much was done
(kills, clients, answers acknowledged) has its least as well, so that no short run passes for the figure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Limit:
    """`least` and `most`: the bounds, both taken as good enough; None for no bound."""

    least: float | None = None
    most: float | None = None

    def holds(self, value: Any) -> bool:
        if not isinstance(value, (int, float)):
            return False
        return (self.least is None or value >= self.least) and (self.most is None or value <= self.most)

    def __str__(self) -> str:
        bounds = [f"{sign} {bound:g}" for sign, bound in (("≥", self.least), ("≤", self.most)) if bound is not None]
        return " ".join(bounds)


NONE = Limit(most=0)
# a fraction of what a slow machine does in a whole run: a run that was cut off falls below
LOAD = {"clients": Limit(least=200), "acknowledged": Limit(least=2000)}
# how often a search finds somebody for a stranger, names a member wrongly, or accuses somebody of two names
RARE = [f"{rate}_{size}" for rate in ("fpir", "misnamed", "two_names_fpir") for size in (30, 200, 2000)]
# somebody before the kiosk, ten pictures a second: at most one core
BUSY = {
    "visits": Limit(least=10),
    "frames_per_s": Limit(least=9),
    "checkin_cpu_percent": Limit(most=100),
    "checkin_mb": Limit(most=250),
}
CAMERA_KILLS = {"kills": Limit(least=100), "lost_s_most": Limit(most=1.3)}
LIMITS: Mapping[str, Mapping[str, Limit]] = {
    "saves": {
        **LOAD,
        "saves_to_noop": Limit(least=0.75),
        "saves_to_bare": Limit(least=0.6),
        "fsyncs_per_save": Limit(most=0.06),
        "p99_to_p50": Limit(most=4),
        "twice_to_once": Limit(least=0.9),
        "lost": NONE,
    },
    "saves-slow-disk": {
        **LOAD,
        "fsync_ms_added": Limit(least=10),
        "saves_to_noop": Limit(least=0.5),
        "fsyncs_per_save": Limit(most=0.06),
        "lost": NONE,
    },
    "saves-mirrored": {**LOAD, "lost": NONE},
    "saves-pace": {"clients": LOAD["clients"]},
    "footage-load": {
        "clients": LOAD["clients"],
        "streams": Limit(least=8),
        "seconds": Limit(least=30),
        "sent_to_cap": Limit(least=0.8, most=1.1),
        "p50_added_ms": Limit(most=20),
        "p99_ms": Limit(most=500),  # what somebody would notice
        "behind_ms": Limit(most=2000),  # what would be an alarm
        "lost_ms": NONE,
        "lost": NONE,
    },
    "saves-twice": {"clients": LOAD["clients"], "twice_to_once": Limit(least=0.9)},
    "papers": {"items_large": Limit(least=50_000), "ratio": Limit(most=3), "skewed_ratio": Limit(most=3)},
    "listing": {"days": Limit(least=60), "cameras": Limit(least=4), "ratio": Limit(most=1.5)},
    "export": {"minutes": Limit(least=10), "ratio": Limit(most=3)},
    "recording": {"seconds": Limit(least=300), "to_ffmpeg": Limit(most=1.0), "four_to_one": Limit(most=4.2)},
    "page": {"questions": Limit(least=99), "first_load_kb": Limit(most=120), "moved_s": Limit(most=5)},
    "face": {"decision_to_networks": Limit(most=1.25), "embed_times_dlib": Limit(least=15)},
    "face-yunet": {"decision_to_networks": Limit(most=1.25)},
    "galleries": dict.fromkeys(RARE, Limit(most=0.005)),
    "galleries-yunet": dict.fromkeys(RARE, Limit(most=0.005)),
    "idle": {
        "seconds": Limit(least=60),
        "kiosk_cpu_percent": Limit(most=3),
        **dict.fromkeys(("camera_mb", "checkin_mb", "web_mb", "uplink_mb"), Limit(most=250)),
    },
    "busy": BUSY,
    "busy-yunet": BUSY,
    "web_kills": {"kills": Limit(least=200), "acknowledged": Limit(least=1000), "lost": NONE, "doubled": NONE},
    "vm_kills": {
        "kills": Limit(least=20),
        "acknowledged": Limit(least=1000),
        "lost": NONE,
        "doubled": NONE,
        "changed": NONE,
    },
    "vm_footage": {"cuts": Limit(least=20), "lost_s_most": Limit(most=2), "files_gone": NONE},
    "camera_kills": CAMERA_KILLS,
    "camera_kills_rare": CAMERA_KILLS,
    "wifi": {
        "drops": Limit(least=9),
        "replies_lost": Limit(least=1),
        "chosen": Limit(least=100),
        "lost": NONE,
        "doubled": NONE,
    },
    "hostile": {"sent": Limit(least=10_000), "faults": NONE, "rows_of_others_changed": NONE},
}


def limit_of(name: str, figure: str) -> Limit | None:
    return LIMITS.get(name, {}).get(figure)


def missed(name: str, figures: Mapping[str, Any]) -> list[str]:
    """The figures of `name` that are not what they must be."""
    return [figure for figure, limit in LIMITS.get(name, {}).items() if not limit.holds(figures.get(figure))]


def misses(name: str, figures: Mapping[str, Any]) -> list[str]:
    """A line for each figure of `name` that is not what it must be."""
    return [
        f"{name}: {figure} is {figures.get(figure)}, must be {limit_of(name, figure)}"
        for figure in missed(name, figures)
    ]
