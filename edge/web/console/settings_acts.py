"""The act of the console that sets how one person's paper is shown."""

from __future__ import annotations

from edge.domain.reasons import words
from edge.errors import BadInput
from edge.exam import conduct, person_settings
from edge.exam.acts import Op
from edge.exam.documents import PaperSettings
from edge.web.console.bodies import ActBody, Registry
from edge.web.room import room, room_db


class SetSettings(ActBody):
    settings: PaperSettings


def _set(session: str, body: SetSettings, op: Op) -> None:
    if body.person is None:
        raise BadInput("body_wrong", where="person", detail=words("input_missing"))
    wanted, reason = body.settings.model_dump(), conduct.need_reason(body.reason)
    person_settings.set_settings(room_db(), room().journal, session, body.person, wanted, reason, op.by, op)


SETTINGS_ACTS: Registry = {"set-settings": (SetSettings, _set)}
