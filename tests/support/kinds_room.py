"""A desk room whose paper has every kind of item, with pictures, a recording and a second language."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any

import av
import numpy as np

from edge import clock
from edge.bank.build import content_of
from edge.bank.model import parse_bank
from edge.demo import people as cast
from edge.domain.canonical import canonical
from edge.exam.documents import parse_policy, parse_roster
from edge.exam.intake import take_in
from edge.store.db import open_room
from edge.trust import enrolment
from edge.trust.enrolment import certify_locally
from edge.trust.seal import seal_bundle
from edge.trust.signer import Ed25519Signer
from support.rooms import DAY_MS, DeskRoom, make_config

SOURCE = {"standard": "JGJ 130", "title": "扣件式钢管脚手架安全技术规范", "edition": "2011", "clause": "6.3"}
SCAFFOLD = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 600 450" width="600" height="450">
<rect width="600" height="450" fill="#eef4f7"/><path d="M0 410h600" stroke="#6b5b45" stroke-width="18"/>
<g stroke="#46555c" stroke-width="9"><path d="M100 400V40M250 400V40M400 400V40M540 400V40"/>
<path d="M80 330h480M80 220h480M80 110h480"/></g>
<path d="M100 400L250 220M250 400L400 220" stroke="#c8641b" stroke-width="7"/>
<rect x="90" y="212" width="320" height="12" fill="#c9a25a"/></svg>"""


def _picture(label: str, colour: str) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 200 120" width="200" height="120">'
        f'<rect width="200" height="120" fill="{colour}"/><text x="100" y="72" font-size="40" text-anchor="middle">'
        f"{label}</text></svg>"
    )


def _recording() -> bytes:
    """Half a second of a tone, as audio/mp4."""
    out = io.BytesIO()
    with av.open(out, "w", format="mp4") as container:
        stream = container.add_stream("aac", rate=16_000)
        tone = (np.sin(np.arange(8192) / 6) * 8000).astype(np.int16).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(tone, format="s16", layout="mono")
        frame.sample_rate = 16_000
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            container.mux(packet)
    return out.getvalue()


def _item(number: int, kind: str, stem: str, **more: Any) -> dict[str, Any]:
    facts = {"test": "theory", "topic": "脚手架", "difficulty": 2, "points": 2, "source": SOURCE}
    return {"id": f"K{number:03}", "type": kind, "stem": stem, "template": f"k-{number}", **facts, **more}


def _options(*texts: str) -> list[dict[str, Any]]:
    return [{"key": "ABCDEFGH"[at], "text": text} for at, text in enumerate(texts)]


def kinds_document(test_minutes: int | None = None) -> dict[str, Any]:
    """A bank with one item of each kind (two judgements of the safety test), and a blueprint that draws them all."""
    judged = _options("正确", "错误")
    case = _item(
        9,
        "case",
        "某工地搭设双排扣件式钢管脚手架，搭到第五步时遇大风停工。\n复工前，班组长请大家先检查再上架。",
        points=5,
        translations={"en": {"stem": "A double scaffold was stopped by strong wind at its fifth lift."}},
    )
    case["items"] = [
        _item(9, "single", "复工前首先应做什么？", options=_options("检查", "继续搭", "拆除"), answer=["A"])
        | {"id": "K009.1", "template": "k-9-1"},
        _item(
            9,
            "fill",
            "第五步的高度约 ____。",
            points=3,
            blanks=[{"kind": "number", "value": "9", "units": ["m"], "shown_units": ["m", "mm"]}],
        )
        | {"id": "K009.2", "template": "k-9-2"},
    ]
    items = [
        _item(1, "judgement", "六级以上大风应停止架上作业。", options=judged, answer=["A"]) | {"test": "safety"},
        _item(2, "judgement", "安全带可以系在未固定的横杆上。", options=judged, answer=["B"]) | {"test": "safety"},
        _item(
            3,
            "single",
            "下面哪一种是直角扣件？",
            options=[
                {"key": "A", "text": "第一种", "image": "a.svg"},
                {"key": "B", "text": "第二种", "image": "b.svg"},
                {"key": "C", "text": "都不是"},
            ],
            answer=["A"],
        ),
        _item(
            4,
            "multiple",
            "搭设前要检查什么？",
            options=_options("钢管", "扣件", "地基", "天气预报的广告"),
            answer=["A", "B", "C"],
            translations={
                "en": {
                    "stem": "What is checked before putting up a scaffold?",
                    "options": {"A": "tubes", "B": "couplers", "C": "ground", "D": "advertisements"},
                },
                "ug": {"stem": "ئىشتىن بۇرۇن نېمىلەر تەكشۈرۈلىدۇ؟"},
            },
        ),
        _item(
            5,
            "fill",
            "立杆间距不大于 ____ ，剪刀撑的角度在 ____ 到 60 度之间，作业层要铺 ____ 。",
            blanks=[
                {"kind": "number", "value": "1.5", "units": ["m"], "shown_units": ["m", "mm", "cm"]},
                {"kind": "number", "value": "45", "units": ["度", "°"]},
                {"kind": "text", "accepted": ["脚手板"]},
            ],
        ),
        _item(
            6,
            "order",
            "把搭设步骤按先后排好。",
            options=_options("放线定位", "铺垫板", "立立杆", "扣横杆"),
            answer=["A", "B", "C", "D"],
        ),
        _item(
            7,
            "match",
            "扣件和用处怎样对应？",
            left=[{"key": "1", "text": "直角扣件"}, {"key": "2", "text": "旋转扣件"}, {"key": "3", "text": "对接扣件"}],
            options=_options("两根垂直的杆", "任意角度的杆", "接长一根杆"),
            answer={"1": "A", "2": "B", "3": "C"},
        ),
        _item(
            8,
            "hotspot",
            "点出图上的两道斜撑。",
            image="scaffold.svg",
            aspect=750,
            media=[{"name": "scaffold.svg", "alt": "脚手架立面图：四根立杆，三道横杆，两道斜杆"}],
            regions=[
                {"shape": "rect", "coords": [150, 500, 430, 900]},
                {"shape": "rect", "coords": [440, 500, 690, 900]},
            ],
        ),
        case,
        _item(
            10,
            "single",
            "听录音：这是哪一种信号？",
            media=[
                {"name": "signal.m4a", "alt": "现场信号的录音"},
                {"name": "scaffold.svg", "alt": "脚手架立面图：四根立杆，三道横杆，两道斜杆"},
            ],
            options=_options("停止", "上升", "下降"),
            answer=["A"],
        ),
    ]
    draws = [{"type": kind, "count": 1} for kind in ("multiple", "fill", "order", "match", "hotspot", "case")]
    parts = [
        {"test": "safety", "title": {"zh": "安全", "en": "Safety"}, "draw": [{"type": "judgement", "count": 2}]},
        {"test": "theory", "title": {"zh": "理论", "en": "Theory"}, "draw": [{"type": "single", "count": 2}, *draws]},
    ]
    if test_minutes is not None:
        for part in parts:
            part["minutes"] = test_minutes
    sample = cast.sample_bank()
    files = {
        "scaffold.svg": ("image/svg+xml", SCAFFOLD.encode()),
        "a.svg": ("image/svg+xml", _picture("十", "#f3d9a4").encode()),
        "b.svg": ("image/svg+xml", _picture("一", "#b9d7ea").encode()),
        "signal.m4a": ("audio/mp4", _recording()),
    }
    blueprint = {
        "id": "kinds",
        "title": {"zh": "各种题型", "en": "Every kind"},
        "post": sample.blueprints[0].post,
        "regime": "skilled-worker",
        "level": sample.blueprints[0].level,
        "minutes": 60,
        "parts": parts,
    }
    return {
        "bank": sample.bank,
        "title": {"zh": "各种题型", "en": "Every kind"},
        "items": items,
        "rubrics": [sample.rubrics[0].model_dump(mode="json", by_alias=True)],
        "blueprints": [blueprint],
        "media": {
            name: {"type": kind, "data": base64.b64encode(data).decode()} for name, (kind, data) in files.items()
        },
    }


def hundred_document() -> dict[str, Any]:
    """A hundred single choices, to see whether a long paper is slow."""
    document = kinds_document()
    texts = ("第一种做法，要先看交底", "第二种做法，边干边看", "第三种做法，听老师傅的", "第四种做法，等通知")
    document["items"] = [
        _item(
            at,
            "single",
            f"第 {at} 道练习：遇到没有把握的工序，应当怎样做才对？",
            options=_options(*texts),
            answer=["A"],
        )
        for at in range(1, 101)
    ]
    document["blueprints"][0]["parts"] = [
        {"test": "theory", "title": {"zh": "理论", "en": "Theory"}, "draw": [{"type": "single", "count": 100}]}
    ]
    return document


def make_kinds_room(
    folder: Path, document: dict[str, Any] | None = None, size: int = 3, **sections: object
) -> DeskRoom:
    """As make_desk_room, with the bank of `document` (default: every kind) and the paper it draws."""
    bank = parse_bank(canonical(document or kinds_document()))
    config = make_config(folder, **sections)
    certify_locally(config.paths, "示例学校", "room-1", 1, clock.wall_ms())
    here = enrolment.load(config.paths)
    now = clock.wall_ms()
    recipients = {here.certificate.room: here.certificate.seal_public}
    root = Ed25519Signer.load(config.paths.keys / "root.key")
    times = {"not_before_ms": now - DAY_MS, "expires_ms": now + DAY_MS}
    sealed = seal_bundle("bank", bank.bank, 1, content_of(bank), recipients, [root], facts={}, **times)
    config.paths.bundles.mkdir(parents=True, exist_ok=True)
    (config.paths.bundles / "bank-1.bundle").write_bytes(sealed)
    connection = open_room(config.paths.room_db)
    roster_document = cast.roster("S-1", now, size=size)
    roster_document["blueprint"] = bank.blueprints[0].model_dump(mode="json")
    roster = parse_roster(canonical(roster_document))
    policy = parse_policy(canonical(cast.POLICY))
    session = take_in(connection, roster, policy, room="room-1", bank_file="bank-1.bundle", data_key=here.keys.data)
    return DeskRoom(config, connection, session)
