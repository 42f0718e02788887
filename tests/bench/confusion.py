"""The confusion table of a face pack on the pictures at hand, as the model cards have it.

    python tests/bench/confusion.py [--pack yunet] [--people FOLDER] [--json]

Each picture is altered (light, blur, size, compression, place, pose), and every altered picture is compared with every
unaltered one, through `faces evaluate --gate`. The two portraits come with wheels, the other people from the folder
beside the checkout where it is. So few people show that the code works, and prove no threshold.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import click
import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from edge.config import Checkin
from edge.demo.people import portrait_file
from edge.vision import packs
from edge.vision.evaluate import embed_all, face_report
from edge.vision.face import Picture
from edge.vision.face_pack import FacePack
from edge.vision.pairs import Image, Pair, Pairs
from support.augmented import augmentations, turned

SHARED = Path(__file__).resolve().parents[2].parent / "shared"
PEOPLE = SHARED / "faces" / "people"
COLUMNS = ("accepted", "asked_again", "refused")


def pictures_of(people: Path) -> dict[str, list[Picture]]:
    """By person, at most 1280 pixels, as a camera gives; the two portraits first."""
    files = {who: [portrait_file(who)] for who in ("hopper", "astronaut")}
    for folder in sorted(path for path in people.glob("*") if path.is_dir()):
        files[folder.name] = sorted(folder.iterdir())
    found: dict[str, list[Picture]] = {}
    for who, paths in files.items():
        for path in paths:
            picture = np.asarray(cv2.imread(str(path), cv2.IMREAD_COLOR), np.uint8)
            scale = min(1.0, 1280 / max(picture.shape))
            small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
            found.setdefault(who, []).append(np.asarray(small, np.uint8))
    return found


def altered(pack: FacePack, people: dict[str, list[Picture]], folder: Path) -> tuple[list[Image], list[Image], Pairs]:
    """Write them in LFW's layout; who is unaltered, who is altered, and each altered one with each unaltered one.

    A picture's number tells what it is of: 100 times the place among its person's, and the alteration."""
    plain: list[Image] = []
    changed: list[Image] = []
    for who, pictures in people.items():
        (folder / who).mkdir()
        for place, picture in enumerate(pictures):
            width = pack.detect(picture, thorough=True)[0].width
            variants = [("as it is", picture), *augmentations(picture, width), *turned(picture)]
            for number, (_, variant) in enumerate(variants, start=100 * place + 1):
                cv2.imwrite(str(folder / who / f"{who}_{number:04d}.png"), variant)
                (plain if number % 100 == 1 else changed).append((who, number))
    return plain, changed, Pairs([Pair(one, other) for one in plain for other in changed], None, None)


def measure(name: str, people: Path, work: Path) -> dict[str, Any]:
    origin = None if name == "dlib" else str(SHARED / "models")
    packs.install(name, work / "models", origin=origin)
    pack = packs.load(name, work / "models")
    folder = work / "pictures"
    folder.mkdir()
    found = pictures_of(people)
    plain, changed, every = altered(pack, found, folder)
    seen = embed_all(pack, every, folder, Checkin().zone, gate=True)
    rows: dict[str, dict[str, int]] = {}
    for row, wanted in (
        ("altered picture with its own original", lambda a, b: a[0] == b[0] and a[1] // 100 == b[1] // 100),
        ("with another picture of the same person", lambda a, b: a[0] == b[0] and a[1] // 100 != b[1] // 100),
        ("with another person's picture", lambda a, b: a[0] != b[0]),
    ):
        some = [pair for pair in every.pairs if wanted(pair.first, pair.second)]
        confusion = face_report(pack, Pairs(some, None, None), seen)["confusion"] if some else {}
        rows[row] = {column: sum(kind[column] for kind in confusion.values()) for column in COLUMNS}
    return {
        "pack": name,
        "people": len(found),
        "pictures": len(plain),
        "altered": len(changed),
        "not_fit_or_no_face": seen.failures,
        "confusion": rows,
    }


@click.command()
@click.option("--pack", type=click.Choice(["dlib", "yunet"]), default="dlib")
@click.option("--people", type=click.Path(path_type=Path, file_okay=False), default=PEOPLE, help="A folder a person.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def main(pack: str, people: Path, as_json: bool) -> None:
    """Make the confusion table of a face pack."""
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as work:
        found = measure(pack, people, Path(work))
    if as_json:
        click.echo(json.dumps(found))
        return
    click.echo(
        f"{found['pack']}: {found['people']} people, {found['pictures']} pictures, {found['altered']} altered ones, "
        f"{found['not_fit_or_no_face']} pictures in all sent back by the gate or without a face\n"
    )
    click.echo("| compared | comparisons | accepted | asked again | refused |\n|---|---|---|---|---|")
    for row, verdicts in found["confusion"].items():
        counts = [sum(verdicts.values()), *(verdicts[column] for column in COLUMNS)]
        click.echo(f"| {row} | " + " | ".join(map(str, counts)) + " |")


if __name__ == "__main__":
    main()
