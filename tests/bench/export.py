"""What it costs to export ten minutes of 1080p, beside `cp` and `sha256sum` of the same footage.

    python tests/bench/export.py [--json] [--record]

The footage is real: ten segments of a minute, 1080p25 at about 5 Mbit/s, written and indexed by the recorder's own
writer (ten seconds are encoded, and repeated). The export is the whole of it: entry and checkpoint in the ledger, every
fragment checked, views of both ends, file and folder synced, hash of the file; `cp` and `sha256sum` do neither sync nor
check. They take turns on the same disk, and of several rounds the quickest of each counts. Every export is verified.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import click
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.report import report
from edge import clock
from edge.clock import Instant, TimeQuality
from edge.config import Paths
from edge.domain.footage import Cause
from edge.hardware.camera.source import TICKS, Packet, VideoFormat, probe
from edge.recording.evidence import export_evidence
from edge.recording.writer import Place, SegmentWriter
from edge.store import segments
from edge.store.db import open_room
from edge.trust.enrolment import certify_locally
from edge.trust.verifier import verify_file

MINUTES, FPS, WIDTH, HEIGHT, MBIT = 10, 25, 1920, 1080, 5
ENCODED_S, ROUNDS = 10, 5


def packets() -> tuple[VideoFormat, list[Packet]]:
    """Ten seconds of a noisy picture that moves, with a key frame each second."""
    chance = np.random.default_rng(1)
    room = chance.integers(40, 200, (HEIGHT // 40, WIDTH // 40), dtype=np.uint8).repeat(40, 0).repeat(40, 1)
    noise = [chance.integers(0, 6, room.shape, dtype=np.uint8) for _ in range(5)]
    encoder = av.CodecContext.create("libx264", "w")
    encoder.width, encoder.height, encoder.pix_fmt = WIDTH, HEIGHT, "gray"
    encoder.time_base, encoder.framerate, encoder.gop_size = Fraction(1, TICKS), Fraction(FPS), FPS
    encoder.bit_rate = MBIT * 1_000_000
    encoder.options = {"preset": "ultrafast", "tune": "zerolatency", "x264-params": "scenecut=0:nal-hrd=cbr"}
    encoder.options |= {"maxrate": f"{MBIT}M", "bufsize": f"{MBIT}M"}
    step, found = TICKS // FPS, list[Packet]()
    for n in range(ENCODED_S * FPS):
        picture = np.roll(room, 8 * n, axis=1) + noise[n % 5]
        frame = av.VideoFrame.from_ndarray(picture, format="gray")
        frame.pts, frame.time_base = n * step, encoder.time_base
        for packet in encoder.encode(frame):
            found.append(Packet(bytes(packet), n * step, n * step, step, bool(packet.is_keyframe), n * 1000 // FPS))
    return probe(found[0].data), found


def record(paths: Paths, connection: Any, began_ms: int) -> list[Path]:
    """Ten minutes, as the recorder would have left them; their files."""
    video, ten = packets()
    files = []
    for minute in range(MINUTES):
        at = Instant(began_ms + minute * 60_000, 1000 + minute * 60_000, "0" * 32, TimeQuality.SYNCHRONISED)
        writer = SegmentWriter(Place(paths.recordings, "door", "0" * 32, minute + 1), video, at, 1)
        for turn in range(60 // ENCODED_S):
            later = turn * ENCODED_S * TICKS
            for packet in ten:
                moved = replace(packet, pts=packet.pts + later, dts=packet.dts + later)
                writer.write(replace(moved, mono_ms=packet.mono_ms + turn * ENCODED_S * 1000), sync=False)
        segments.index(connection, writer.close(Cause.ROTATED))
        files.append(writer.place.path)
    video.owner.close()
    return files


def seconds(command: list[str]) -> float:
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def export_figures() -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        paths = Paths(state=folder / "state", runtime=folder / "run", recordings=folder / "footage", models=folder)
        began_ms = clock.wall_ms() - 3_600_000
        identity = certify_locally(paths, "Training centre 培训中心", "room-1", 1, began_ms)
        connection = open_room(paths.room_db)
        files = [str(file) for file in record(paths, connection, began_ms)]
        size = sum(Path(file).stat().st_size for file in files)
        took = dict[str, list[float]]({"cp": [], "sum": [], "export": []})
        out, copy = folder / "out.zip", folder / "copy"
        for _ in range(ROUNDS):
            copy.mkdir()
            took["cp"].append(seconds(["cp", *files, str(copy)]))
            took["sum"].append(seconds(["sha256sum", *files]))
            start = time.perf_counter()
            export_evidence(
                connection,
                paths,
                identity,
                camera="door",
                from_ms=began_ms + 400,
                until_ms=began_ms + MINUTES * 60_000 - 300,
                why="bench",
                by="staff-1",
                out=out,
            )
            took["export"].append(time.perf_counter() - start)
            took["sum_export"] = [*took.get("sum_export", []), seconds(["sha256sum", str(out)])]
            verdict = verify_file(out, [identity.root_public])
            if not verdict.ok or verdict.facts["gaps"] or b"view/" not in out.read_bytes():
                raise RuntimeError(f"not a good export: {verdict}")
            whole = out.stat().st_size
            out.unlink()
            subprocess.run(["rm", "-r", str(copy)], check=True)
        connection.close()
    best = {what: min(times) for what, times in took.items()}
    exported = best["export"] + best["sum_export"]
    return {
        "minutes": MINUTES,
        "footage_mb": round(size / 1e6),
        "file_mb": round(whole / 1e6),
        "ratio": round(exported / (best["cp"] + best["sum"]), 2),
        "export_s": round(exported, 2),
        "cp_s": round(best["cp"], 2),
        "sha256sum_s": round(best["sum"], 2),
    }


@click.command()
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.option("--record", "keep", is_flag=True, help="Write the figures to measured.json.")
def main(as_json: bool, keep: bool) -> None:
    """Benchmark the export of evidence."""
    report("export", export_figures(), as_json, keep)


if __name__ == "__main__":
    main()
