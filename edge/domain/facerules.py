"""What a session's signed policy asks of faces and badges at the door, beside comparing one to one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Liveness = Literal["off", "passive", "active", "both"]
"""passive: the networks' verdict; active: a challenge of movements; both: neither may be missing."""
WeakBadge = Literal["allow", "face-or-proctor"]
"""What a badge that is easily copied is worth without a matching face."""


@dataclass(frozen=True)
class FaceRules:
    """Everything off, unless policy says so. `curtain`: the kiosk shows no live picture."""

    liveness: Liveness = "off"
    search: bool = False
    duplicates: bool = False
    weak_badge: WeakBadge = "allow"
    curtain: bool = False

    @property
    def passive(self) -> bool:
        return self.liveness in ("passive", "both")

    @property
    def active(self) -> bool:
        return self.liveness in ("active", "both")


def face_rules(policy: Mapping[str, Any]) -> FaceRules:
    """Of a checked policy document; one from before a rule was thought of does not have it."""
    face: Mapping[str, Any] = policy.get("face") or {}
    return FaceRules(
        face.get("liveness", "off"),
        face.get("search") is True,
        face.get("duplicates") is True,
        face.get("weak_badge", "allow"),
        face.get("curtain") is True,
    )


def strictest(rules: list[FaceRules]) -> FaceRules:
    """For somebody who may be of any of several sessions: what any of them asks."""
    passive, active = any(one.passive for one in rules), any(one.active for one in rules)
    liveness: Liveness = "both" if passive and active else "passive" if passive else "active" if active else "off"
    return FaceRules(liveness)
