"""One page for the province: rooms, counts, alarms, recent requests. Room ids and counts only, no personal data."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, current_app, render_template, request
from sqlalchemy import desc, func, select

from edge.clock import iso
from edge.domain.reasons import REASONS, sentence
from edge.gateway.database import reading
from edge.gateway.settings import Province
from edge.gateway.tables import alarms, clips, epochs, publications, requests, results, rooms

pages = Blueprint("pages", __name__)

RECENT = 50


@dataclass(frozen=True)
class Overview:
    """What the page shows and `gateway report` prints."""

    rooms: list[dict[str, Any]]
    alarms: list[dict[str, Any]]
    publications: list[dict[str, Any]]
    requests: list[dict[str, Any]]
    clips: list[dict[str, Any]]


def overview(province: Province, recent: int = RECENT) -> Overview:
    """Counts and lists as plain values; `recent` bounds the request log, newest first."""
    counted = select(results.c.room, func.count().label("results")).group_by(results.c.room).subquery()
    room_query = (
        select(
            rooms.c.room,
            rooms.c.institution,
            rooms.c.epoch,
            rooms.c.suspended_ms,
            func.coalesce(counted.c.results, 0).label("results"),
            epochs.c.contiguous_to,
            epochs.c.seen_size,
            epochs.c.seen_ms,
        )
        .outerjoin(counted, counted.c.room == rooms.c.room)
        .outerjoin(epochs, (epochs.c.room == rooms.c.room) & (epochs.c.epoch == rooms.c.epoch))
        .order_by(rooms.c.room)
    )
    shown = (alarms.c.room, alarms.c.epoch, alarms.c.code, alarms.c.subject, alarms.c.count, alarms.c.last_ms)
    alarm_query = select(*shown).order_by(desc(alarms.c.last_ms)).limit(200)
    published = (publications.c.kind, publications.c.name, publications.c.version, publications.c.expires_ms)
    publication_query = select(*published).order_by(desc(publications.c.created_ms)).limit(200)
    asked = (clips.c.room, clips.c.clip, clips.c.state, clips.c.reason, clips.c.made_ms, clips.c.not_after_ms)
    clip_query = select(*asked).order_by(desc(clips.c.made_ms)).limit(200)
    request_query = select(requests).order_by(desc(requests.c.id)).limit(recent)
    with reading(province.engine).connect() as connection:
        return Overview(
            rooms=[dict(row._mapping) for row in connection.execute(room_query)],
            alarms=[dict(row._mapping) for row in connection.execute(alarm_query)],
            publications=[dict(row._mapping) for row in connection.execute(publication_query)],
            requests=[{**row._mapping, "shas": json.loads(row.shas)} for row in connection.execute(request_query)],
            clips=[dict(row._mapping) for row in connection.execute(clip_query)],
        )


@pages.get("/")
def index() -> str:
    language = "en" if request.args.get("lang") == "en" else "zh"
    province: Province = current_app.extensions["province"]
    return render_template(
        "gateway/index.html",
        title=province.settings.title,
        lang=language,
        view=overview(province),
        said=lambda zh, en: en if language == "en" else zh,
        when=lambda at: "" if at is None else iso(at)[:19].replace("T", " "),
        alarm_text=lambda code: sentence(f"alarm_{code}", language),
        reason_text=lambda code: sentence(code, language) if code in REASONS else code,
    )
