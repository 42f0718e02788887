"""How much the door's face pack costs: frame to decision beside its networks, embedding beside dlib's own.

    python tests/bench/face.py [--pack yunet] [--json] [--record]

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
from edge.vision.face import open_session
from edge.vision.face_pack import FacePack, Picture
from edge.vision.manifest import read_manifest
from edge.vision.quality import choose, measure, several
from edge.vision.yunet import OUTPUTS, network_input

RUNS = 60
ZONE = (0.15, 0.0, 0.85, 1.0)
SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "models"


def fastest(runs: int, *acts: Callable[[], object]) -> list[float]:
    """Seconds of the quickest run of each, in turn: what the work costs when nothing else has the core."""
    best = [float("inf")] * len(acts)
    for _ in range(runs):
        for place, act in enumerate(acts):
            start = time.perf_counter()
            act()
            best[place] = min(best[place], time.perf_counter() - start)
    return best


def door_frame() -> Picture:
    """640x480 pixels, as a door's camera gives them, with the portrait in it."""
    portrait = np.asarray(cv2.imread(str(portrait_file("hopper")), cv2.IMREAD_COLOR), np.uint8)
    columns = round(480 * portrait.shape[1] / portrait.shape[0])
    frame = np.full((480, 640, 3), 96, np.uint8)
    left = (640 - columns) // 2
    frame[:, left : left + columns] = cv2.resize(portrait, (columns, 480), interpolation=cv2.INTER_AREA)
    return frame


def decision(pack: FacePack, frame: Picture) -> Callable[[], None]:
    """The whole way of one frame, as the door goes it."""
    registered = pack.embed(frame, pack.detect(frame)[0])

    def whole() -> None:
        faces = choose(pack.detect(frame), frame.shape[:2], ZONE)
        quality = measure(frame, faces[0], pack.fit)
        distance = pack.distance(pack.embed(frame, faces[0]), registered)
        evidence = [Evidence(distance, quality.value, faces[0].area)]
        if several(faces) or quality.codes or decide(evidence, pack.threshold).verdict != "match":
            raise RuntimeError("the portrait must match itself")

    return whole


def dlib_figures(models: Path) -> dict[str, Any]:
    packs.install("dlib", models)
    pack, manifest = packs.load("dlib", models), read_manifest("dlib")
    frame = door_frame()
    face = pack.detect(frame)[0]
    gray = np.asarray(cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY))
    chip = pack.chip(frame, face)
    detector = dlib.get_frontal_face_detector()
    predictor = dlib.shape_predictor(str(packs.find_source(manifest.role("landmarks"))))
    original = dlib.face_recognition_model_v1(str(packs.find_source(manifest.role("embedder"))))
    left, top, right, bottom = (round(side) for side in face.box)
    box = dlib.rectangle(left, top, right - 1, bottom - 1)
    whole, detect, landmarks, embed, theirs = fastest(
        RUNS,
        decision(pack, frame),
        lambda: detector.run(gray, 0, 0.0),
        lambda: predictor(gray, box),
        lambda: pack.embed_chips(chip[np.newaxis]),
        lambda: original.compute_face_descriptor(chip),
    )
    return {
        "decision_to_networks": round(whole / (detect + landmarks + embed), 2),
        "embed_times_dlib": round(theirs / embed, 1),
        "decision_ms": round(1000 * whole, 1),
        "detector_ms": round(1000 * detect, 1),
        "landmarks_ms": round(1000 * landmarks, 2),
        "embedder_ms": round(1000 * embed, 1),
        "dlib_embedder_ms": round(1000 * theirs, 1),
    }


def yunet_figures(models: Path) -> dict[str, Any]:
    if not SHARED.is_dir():
        raise click.ClickException("the detector's file is not beside this checkout: ../shared/models")
    path = packs.install("yunet", models, origin=str(SHARED))
    pack, frame = packs.load("yunet", models), door_frame()
    planes, chip = network_input(frame), pack.chip(frame, pack.detect(frame)[0])
    detector = open_session(path / packs.FILES["detector"])
    whole, detect, embed = fastest(
        3 * RUNS,  # each is short: a busy machine must leave every one of them alone once
        decision(pack, frame),
        lambda: detector.run(OUTPUTS, {"input": planes}),
        lambda: pack.embed_chips(chip[np.newaxis]),
    )
    return {
        "decision_to_networks": round(whole / (detect + embed), 2),
        "decision_ms": round(1000 * whole, 1),
        "detector_ms": round(1000 * detect, 1),
        "embedder_ms": round(1000 * embed, 1),
    }


@click.command()
@click.option("--pack", type=click.Choice(["dlib", "yunet"]), default="dlib")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.option("--record", "keep", is_flag=True, help="Write the figures to measured.json.")
def main(pack: str, as_json: bool, keep: bool) -> None:
    """Benchmark a face pack."""
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as models:
        if pack == "dlib":
            report("face", dlib_figures(Path(models)), as_json, keep)
        else:
            report("face-yunet", yunet_figures(Path(models)), as_json, keep)


if __name__ == "__main__":
    main()
