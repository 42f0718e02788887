"""Searching among 30, 200 and 2,000: how often it finds somebody for a stranger (FPIR) and misses who is there (FNIR).

    python tests/bench/galleries.py [--pack yunet] [--json] [--record]

Through the door's own search, at the limits of the pack's manifest. **The galleries are synthetic**: templates drawn
from the model of `support/galleries.py`, always the same ones. The pictures at hand (two portraits, and the folder
beside the checkout where it is) are looked for among them, which tells little: they are of five people.
"""

from __future__ import annotations

import sys
import tempfile
from itertools import combinations
from pathlib import Path
from typing import Any

import click
import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.report import report
from edge.checkin.search import distances, registered
from edge.demo.people import portrait_file
from edge.domain.search import SearchThreshold, pick
from edge.vision import packs
from edge.vision.manifest import read_manifest
from edge.vision.template import Template
from support.galleries import Counted, Crowd, Model, doubles, entries, searched

SHARED = Path(__file__).resolve().parents[2].parent / "shared"
SEED = 20261128
# size -> looks of strangers and of members, galleries; rosters
SIZES = {30: (20_000, 4_000, 40, 200), 200: (20_000, 4_000, 10, 40), 2000: (4_000, 1_000, 4, 2)}
# What the pictures at hand give: two pictures of one person (25 pairs of 3 people), and frames of one look.
OWN = {"dlib": (0.36, 0.09), "yunet": (0.35, 0.10)}
FRAME = 0.09

People = dict[str, list[Template]]


def pictures(name: str, models: Path) -> People:
    """A template of each picture at hand; nobody without the pack's files."""
    if name != "dlib" and not (SHARED / "models").is_dir():
        return {}
    packs.install(name, models, origin=None if name == "dlib" else str(SHARED / "models"))
    pack = packs.load(name, models)
    files = {who: [portrait_file(who)] for who in ("hopper", "astronaut")}
    for folder in sorted(path for path in (SHARED / "faces" / "people").glob("*") if path.is_dir()):
        files[folder.name] = sorted(folder.iterdir())
    found: People = {}
    for who, paths in files.items():
        for path in paths:
            bgr = np.asarray(cv2.imread(str(path), cv2.IMREAD_COLOR), np.uint8)
            scale = min(1.0, 1280 / max(bgr.shape))
            bgr = np.asarray(cv2.resize(bgr, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)
            found.setdefault(who, []).append(pack.embed(bgr, pack.detect(bgr, thorough=True)[0]))
    return found


def apart(people: People) -> dict[str, float]:
    """How far apart the pictures at hand are: what the model's parameters are taken from."""
    own = [float(np.linalg.norm(a - b)) for few in people.values() for a, b in combinations(few, 2)]
    other = [float(np.linalg.norm(a - b)) for few, more in combinations(people.values(), 2) for a in few for b in more]
    figures: dict[str, float] = {}
    for name, values in (("own", own), ("strangers", other)):
        if len(values) > 1:
            figures |= {f"pictures_{name}_mean": round(float(np.mean(values)), 3)}
            figures |= {f"pictures_{name}_deviation": round(float(np.std(values, ddof=1)), 3)}
    return figures


def among(people: People, model: Model, limits: SearchThreshold, refuse: float, size: int) -> Counted:
    """Each picture looked for among `size` people: once where its person is registered by another picture, once where
    they are not. The others of the gallery are the other people at hand, and synthetic ones about the same centre."""
    centre = np.mean([np.mean(few, axis=0) for few in people.values()], axis=0)
    crowd = Crowd(model, np.random.default_rng(SEED), centre)
    made = list(crowd.templates(crowd.pictures(crowd.people(size))))
    count = Counted()
    for who, mine in people.items():
        others = [few[0] for name, few in people.items() if name != who]
        without = entries([*others, *made][:size])
        for place, probe in enumerate(mine):
            seen = registered(probe)
            count.stranger(pick(*distances(seen, without), limits, refuse))
            for number, enrolled in enumerate(mine):
                if number != place:
                    gallery = entries([enrolled, *others, *made][:size])
                    count.member(0, pick(*distances(seen, gallery), limits, refuse))
    return count


def measure(name: str, models: Path) -> dict[str, Any]:
    manifest = read_manifest(name)
    limits, refuse = manifest.search_limits, manifest.limits.refuse
    if limits is None:
        raise click.ClickException(f"{name} has no limits for a search")
    model = Model(limits.strangers, *OWN[name], FRAME)
    people = pictures(name, models)
    figures: dict[str, Any] = {}
    for size, (strangers, members, galleries, rosters) in SIZES.items():
        crowd = Crowd(model, np.random.default_rng(SEED + size))
        [count] = searched(crowd, [limits], refuse, size, strangers, members, galleries)
        doubled = size // 10
        [double] = doubles(crowd, [limits], refuse, size, doubled, size - 2 * doubled, rosters)
        figures |= {
            f"within_{size}": round(limits.within(size), 3),
            f"fpir_{size}": round(count.fpir, 5),
            f"fnir_{size}": round(count.fnir, 3),
            f"ambiguous_{size}": round(count.ambiguous / count.members, 3),
            f"misnamed_{size}": round(count.misnamed / count.members, 5),
            f"two_names_fpir_{size}": round(double.fpir, 5),
            f"two_names_fnir_{size}": round(double.fnir, 3),
        }
        if people:
            real = among(people, model, limits, refuse, size)
            figures |= {
                f"pictures_found_{size}": f"{real.found} of {real.members}",
                f"pictures_misnamed_{size}": real.misnamed + real.strangers_found,
            }
    return figures | {"people": len(people), "pictures": sum(map(len, people.values()))} | apart(people)


@click.command()
@click.option("--pack", type=click.Choice(list(OWN)), default="dlib")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.option("--record", "keep", is_flag=True, help="Write the figures to measured.json.")
def main(pack: str, as_json: bool, keep: bool) -> None:
    """Measure a pack's search among many."""
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as models:
        figures = measure(pack, Path(models))
    report("galleries" if pack == "dlib" else f"galleries-{pack}", figures, as_json, keep)


if __name__ == "__main__":
    main()
