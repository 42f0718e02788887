"""`examroom footage`: what is recorded, and evidence of a span as one file."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from edge import clock
from edge.config import Config
from edge.errors import BadInput, Conflict, Exists, Unavailable
from edge.recording import certificate
from edge.recording.coverage import coverage
from edge.recording.evidence import export_evidence
from edge.recording.retention import rules_of
from edge.recording.space import same_disk
from edge.store import access, segments
from edge.store import completeness as certificates
from edge.store.db import open_room
from edge.store.refusals import notes_refusals
from edge.trust import dsse, enrolment
from edge.trust.completeness_format import Completeness, completeness_file, percent
from edge.why import why

_json = click.option("--json", "as_json", is_flag=True, help="For programs.")
_DAY_MS = 86_400_000


def _moment(text: str) -> int:
    """ISO 8601, local where no zone is given, or milliseconds since 1970."""
    try:
        return int(text) if text.isdigit() else round(datetime.fromisoformat(text).astimezone().timestamp() * 1000)
    except (ValueError, OverflowError) as error:
        raise BadInput("moment_wrong", text=text[:40]) from error


@click.group()
def footage() -> None:
    """List and export footage 录像."""


@footage.command("list")
@click.option("--from", "since", help="From when; a day ago otherwise.")
@click.option("--until", "until", help="Until when; now otherwise.")
@_json
@click.pass_obj
def list_command(context: Any, since: str | None, until: str | None, as_json: bool) -> None:
    """Segments of every camera, how complete they are, and each gap with its cause."""
    config: Config = context.config()
    end = _moment(until) if until else clock.wall_ms()
    start = _moment(since) if since else end - _DAY_MS
    connection = open_room(config.paths.room_db)
    found: list[dict[str, Any]] = []
    try:
        cameras = sorted({*segments.cameras(connection), *config.camera})
        access.note_search(connection, cameras, start, end)
        for camera in cameras:
            found_of = coverage(connection, config, camera, start, min(end, clock.wall_ms()))
            rows, whole = found_of.rows, found_of.whole
            found.append(
                {
                    "camera": camera,
                    "expected_s": whole.expected_s,
                    "recorded_s": whole.recorded_s,
                    "gaps": [
                        {
                            "from": clock.iso(g.from_ms),
                            "seconds": g.seconds,
                            "cause": g.cause,
                            "doubt_s": g.doubt_ms / 1000,
                        }
                        for g in whole.gaps
                    ],
                    "segments": [
                        {"id": s.id, "from": clock.iso(s.started_ms), "until": clock.iso(s.ended_ms), "bytes": s.bytes}
                        for s in rows
                    ],
                }
            )
    finally:
        connection.close()
    if as_json:
        click.echo(json.dumps(found))
        return
    for camera_facts in found:
        expected, recorded = camera_facts["expected_s"], camera_facts["recorded_s"]
        click.echo(f"{camera_facts['camera']}: {recorded:.1f} / {expected:.1f} s")
        for gap in camera_facts["gaps"]:
            click.echo(f"  缺口 / gap {gap['from']}  {gap['seconds']:.1f} s  {gap['cause']}")
        for row in camera_facts["segments"]:
            click.echo(f"  {row['id']}  {row['from']} - {row['until']}  {row['bytes']}")
    if not found:
        click.echo("没有摄像头 / no camera")


@footage.command("certificate")
@click.argument("session")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Write the signed file there.")
@_json
@click.pass_obj
@notes_refusals("footage certificate")
def certificate_command(context: Any, session: str, out: Path | None, as_json: bool) -> None:
    """How completely a closed session was recorded, signed by the room; `examroom verify` checks the file."""
    config: Config = context.config()
    connection = open_room(config.paths.room_db)
    identity = enrolment.load(config.paths)
    try:
        kept = certificates.latest(connection, session)
        if kept is None:
            if (late := certificate.waits_for(connection, config, session)) is not None:
                raise Conflict("completeness_waits", camera=late)
            kept = certificate.certify(connection, config, identity, session)
    finally:
        connection.close()
    if out is not None:
        _write_new(out, completeness_file(identity.signer_of(kept.envelope)[0], kept.envelope))
    found = Completeness.model_validate(dsse.peek(kept.envelope).payload)
    if as_json:
        click.echo(json.dumps(found.model_dump() | {"sha256": kept.sha256}, ensure_ascii=False))
        return
    click.echo(
        f"{session}: {percent(found.hundredths)} %, {found.gaps} 处缺口 / gaps"
        f"  (第 {found.version} 版 / version {found.version}, {clock.iso(found.made_ms)})"
    )
    for camera in found.cameras:
        recorded, expected = camera.recorded_ms / 1000, camera.expected_ms / 1000
        click.echo(f"{camera.camera}: {percent(camera.hundredths)} %  {recorded:.1f} / {expected:.1f} s")
        for gap in camera.gaps:
            doubt = f"  ±{gap.doubt_ms / 1000:.1f} s" if gap.doubt_ms else ""
            click.echo(f"  缺口 / gap {clock.iso(gap.from_ms)}  {gap.ms / 1000:.1f} s  {gap.cause}{doubt}")


def _write_new(out: Path, data: bytes) -> None:
    try:
        with out.open("xb") as file:
            file.write(data)
    except FileExistsError as error:
        raise Exists("evidence_exists", path=out) from error
    except OSError as error:
        raise Unavailable("completeness_not_written", path=out, detail=why(error)) from error


@footage.command()
@click.option("--camera", required=True)
@click.option("--from", "since", required=True, help="ISO 8601 or ms since 1970.")
@click.option("--until", "until", required=True)
@click.option("--why", required=True, help="What it is for; it stands in the file and, hashed, in the ledger.")
@click.option("--by", required=True, help="Who takes it: a staff id.")
@click.option("--session", help="The session it is about.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), required=True)
@click.option("--no-view", is_flag=True, help="Without the same footage cut to the very span.")
@_json
@click.pass_obj
@notes_refusals("footage export")
def export(
    context: Any,
    camera: str,
    since: str,
    until: str,
    why: str,
    by: str,
    session: str | None,
    out: Path,
    no_view: bool,
    as_json: bool,
) -> None:
    """Write footage and its proofs to one file that `examroom verify` checks."""
    config: Config = context.config()
    connection = open_room(config.paths.room_db)
    try:
        export_evidence(
            connection,
            config.paths,
            enrolment.load(config.paths),
            camera=camera,
            from_ms=_moment(since),
            until_ms=_moment(until),
            why=why,
            by=by,
            out=out,
            session=session,
            views=not no_view,
            reserve=rules_of(config).reserve if same_disk(out, config.paths.recordings) else 0,
        )
    finally:
        connection.close()
    size = out.stat().st_size
    click.echo(json.dumps({"file": str(out), "bytes": size}) if as_json else f"{out}: {size} 字节 / bytes")
