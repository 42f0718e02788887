"""How much the door's face pack costs: frame to decision beside its three networks, embedding beside dlib's own.

    python tests/bench/face.py [--json] [--record]

Figures are ratios of runs taken in turn on one thread, the fastest of each; the milliseconds are printed beside them.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import cv2
import dlib
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.report import report
from edge.demo.people import portrait_file
from edge.domain.faces import Evidence, decide
from edge.vision import packs
from edge.vision.manifest import read_manifest
from edge.vision.quality import measure

RUNS = 60


def fastest(runs: int, *acts: Callable[[], object]) -> list[float]:
    """Seconds of the quickest run of each, in turn: what the work costs when nothing else has the core."""
    best = [float("inf")] * len(acts)
    for _ in range(runs):
        for place, act in enumerate(acts):
            start = time.perf_counter()
            act()
            best[place] = min(best[place], time.perf_counter() - start)
    return best


def face_figures(models: Path) -> dict[str, Any]:
    packs.install("dlib", models)
    pack, manifest = packs.load("dlib", models), read_manifest("dlib")
    portrait = np.asarray(cv2.imread(str(portrait_file("hopper")), cv2.IMREAD_COLOR), np.uint8)
    # a 720p frame with the portrait in it, and what each network is given of it
    frame = np.full((720, 1280, 3), 96, np.uint8)
    frame[60:660, 400:912] = portrait
    face = pack.detect(frame)[0]
    registered = pack.embed(frame, face)
    gray = np.asarray(cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY))
    small = np.asarray(cv2.resize(gray, (640, 360), interpolation=cv2.INTER_AREA))
    chip = pack.chip(frame, face)
    detector = dlib.get_frontal_face_detector()
    predictor = dlib.shape_predictor(str(packs.find_source(manifest.role("landmarks"))))
    original = dlib.face_recognition_model_v1(str(packs.find_source(manifest.role("embedder"))))
    left, top, right, bottom = (round(side) for side in face.box)
    box = dlib.rectangle(left, top, right - 1, bottom - 1)

    def whole() -> None:
        found = pack.detect(frame)[0]
        quality = measure(frame, found)
        distance = pack.distance(pack.embed(frame, found), registered)
        if decide([Evidence(distance, quality.value, found.area)], pack.threshold).verdict != "match":
            raise RuntimeError("the portrait must match itself")

    decision, detect, landmarks, embed, theirs = fastest(
        RUNS,
        whole,
        lambda: detector.run(small, 0, 0.0),
        lambda: predictor(gray, box),
        lambda: pack.embed_chips(chip[np.newaxis]),
        lambda: original.compute_face_descriptor(chip),
    )
    return {
        "decision_to_networks": round(decision / (detect + landmarks + embed), 2),
        "embed_times_dlib": round(theirs / embed, 1),
        "decision_ms": round(1000 * decision, 1),
        "detector_ms": round(1000 * detect, 1),
        "landmarks_ms": round(1000 * landmarks, 2),
        "embedder_ms": round(1000 * embed, 1),
        "dlib_embedder_ms": round(1000 * theirs, 1),
    }


@click.command()
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.option("--record", "keep", is_flag=True, help="Write the figures to measured.json.")
def main(as_json: bool, keep: bool) -> None:
    """Benchmark the default face pack."""
    with tempfile.TemporaryDirectory() as models:
        report("face", face_figures(Path(models)), as_json, keep)


if __name__ == "__main__":
    main()
