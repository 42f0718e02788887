"""`examroom faces`: make a face pack ready, list what is there, measure one."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
import cv2
from rich.console import Console
from rich.progress import Progress

from edge.config import DEFAULT_PATH, Config, Paths
from edge.errors import BadInput, ConfigError, Unavailable
from edge.vision import evaluate as evaluation
from edge.vision import packs
from edge.vision.manifest import known_packs, read_manifest
from edge.vision.pairs import read_pairs
from edge.vision.plot import evaluation_svg

MANY = 200
"""So many pictures take long enough that somebody wonders."""
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


@click.group()
def faces() -> None:
    """Install, list and measure face packs 人脸模型.

    On a machine without the room's configuration the packs are in ~/.local/share/examroom/models.
    """


@faces.command()
@click.argument("pack", default="dlib")
@click.option("--from", "origin", metavar="FOLDER|URL", help="Where the pack's files are, if not where it says itself.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.pass_obj
def install(context: Any, pack: str, origin: str | None, as_json: bool) -> None:
    """Make a pack ready: fetch what it needs, check it against the pinned hashes, convert it.

    `dlib` comes from its installed Python package and downloads nothing. A download that broke off goes on where it
    stopped when this is run again. Only files with the pinned SHA-256 are taken.
    """
    config = _config(context)
    if as_json:
        path = packs.install(pack, config.paths.models, origin=origin)
        click.echo(json.dumps({"pack": pack, "version": read_manifest(pack).version, "path": str(path)}))
        return
    with Progress() as bar:
        task = bar.add_task(pack, total=1.0)
        path = packs.install(
            pack,
            config.paths.models,
            lambda share, words: bar.update(task, completed=share, description=words),
            origin=origin,
        )
    click.echo(str(path))


@faces.command("list")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.pass_obj
def list_command(context: Any, as_json: bool) -> None:
    """The packs this room knows, and which versions are installed."""
    config = _config(context)
    found = packs.installed(config.paths.models)
    rows: list[dict[str, Any]] = [
        {
            "pack": manifest.name,
            "version": manifest.version,
            "installed": any((i.name, i.version) == (manifest.name, manifest.version) for i in found),
            "untested": manifest.untested,
            "threshold": manifest.threshold and manifest.threshold.accept,
            "fmr": manifest.calibration and manifest.calibration.fmr,
            "fmr_at_most": manifest.calibration and manifest.calibration.fmr_at_most,
        }
        for manifest in map(read_manifest, known_packs())
    ]
    rows += [{"pack": i.name, "version": i.version, "installed": True} for i in found if not i.current]
    if as_json:
        click.echo(json.dumps(rows))
        return
    for row in rows:
        state = "已安装 installed" if row["installed"] else "未安装 not installed"
        state += "  未经测试 untested" if row.get("untested") else ""
        if row.get("fmr_at_most"):
            state += f"  距离 distance ≤ {row['threshold']:g}: FMR ≤ {100 * row['fmr_at_most']:g} %"
        click.echo(f"{row['pack']}  {row['version']}  {state}")


@faces.command()
@click.option("--pairs", "pairs_file", type=FILE, help="Pairs of pictures in LFW's format.")
@click.option("--images", type=FOLDER, help="The pictures: DIR/NAME/NAME_0001.jpg.")
@click.option("--attacks", type=FOLDER, help="Liveness: a folder bonafide, and one folder a kind of attack.")
@click.option("--pack", "name", help="The pack to measure; the one in the configuration by default.")
@click.option("--gate", is_flag=True, help="Take only pictures that the door's quality gate would take.")
@click.option("--plot", type=click.Path(dir_okay=False, path_type=Path), help="Where to draw it [faces-PACK.svg here].")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.pass_obj
def evaluate(
    context: Any,
    pairs_file: Path | None,
    images: Path | None,
    attacks: Path | None,
    name: str | None,
    gate: bool,
    plot: Path | None,
    as_json: bool,
) -> None:
    """Measure a pack on pictures of your own: error rates at its threshold, failures, milliseconds; and liveness.

    \b
    failures_to_acquire  pictures that gave no template: missing, unreadable, without a face (or unfit, with --gate)
    fmr, fnmr            false matches and false non-matches at the shipped threshold, of the pairs compared
    fmr_stated           what the pack's manifest says its threshold keeps
    confusion            of those pairs: taken for one person, looked at again, taken for two
    *_at_most            what the rate may be (95 %, one-sided, if no two pairs shared a person)
    tar_at_far_*         null with too few different pairs to measure that rate; threshold_at_far_* is its distance
    accuracy             by thresholds chosen on pairs of other people only (folds that share no person)
    ms_*                 medians of one thread; frame is the whole way from picture to decision
    """
    if (pairs_file is None) != (images is None) or (pairs_file is None and attacks is None):
        raise BadInput("evaluate_needs")
    config = _config(context)
    zone = config.checkin.zone
    place: Path | None = plot or Path(f"faces-{name or config.checkin.pack}.svg")
    if pairs_file is not None and place is not None:
        try:
            _save(place, None)  # thousands of pictures are not looked at for a plot that has no place
        except Unavailable:
            if plot is not None:
                raise
            place = None  # nobody named it: the figures are worth more
    cv2.setNumThreads(1)  # as at the door: its milliseconds are of one thread
    at_most = config.checkin.accept_at_most  # as the door has it
    pack = packs.load(name or config.checkin.pack, config.paths.models, untested=True, accept_at_most=at_most)
    liveness = packs.load_liveness(config.paths.models) if attacks is not None else None
    report: dict[str, Any] = {"pack": pack.name}
    if pairs_file is not None and images is not None:
        found = read_pairs(pairs_file)
        with _bar("人脸 faces", quiet=as_json) as told:
            seen = evaluation.embed_all(pack, found, images, zone, gate, told)
        report = evaluation.face_report(pack, found, seen)
        if place is not None:
            _save(place, evaluation_svg(report))
        stated = read_manifest(pack.name).calibration
        report |= {"fmr_stated": stated and stated.fmr_at_most, "plot": place and str(place)}
        del report["distances"]
    if attacks is not None and liveness is not None:
        with _bar("活体 liveness", quiet=as_json) as told:
            report |= evaluation.attack_report(pack, liveness, attacks, zone, told)
    if as_json:
        click.echo(json.dumps(report, ensure_ascii=False))
        return
    for key, value in report.items():
        if key == "attacks":
            for kind, rates in value.items():
                click.echo(f"attack {kind}  " + "  ".join(f"{name} {_said(rate)}" for name, rate in rates.items()))
        elif key == "confusion":
            for pairs, verdicts in value.items():
                click.echo(f"{key} {pairs}  " + "  ".join(f"{name} {count}" for name, count in verdicts.items()))
        elif key == "bpcer_at_apcer":
            for apcer, found in value.items():
                click.echo(f"{key} {apcer}  " + (_said(found) if found else _said(None)))
        elif key not in ("roc", "fold_thresholds"):
            click.echo(f"{key}  {_said(value)}")


def _config(context: Any) -> Config:
    """The room's configuration. On a machine that is no room, and where no file is named, the defaults, with the models
    in a folder of the user's own: a pack can be measured anywhere."""
    try:
        config: Config = context.config()
    except ConfigError as error:
        if error.code != "config_missing" or context.config_file != DEFAULT_PATH:
            raise
        home = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
        return Config(paths=Paths(models=home / "examroom" / "models"))
    return config


def _said(value: Any) -> str:
    if value is None:
        return "未测得 not measured"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list):
        return f"{len(value)}" + (f" ({', '.join(value[:20])}{', …' if len(value) > 20 else ''})" if value else "")
    if isinstance(value, dict):
        return ", ".join(f"{key} {part}" for key, part in value.items()) or "-"
    return str(value)


def _save(path: Path, text: str | None) -> None:
    """Write the plot; None: see whether it can be written, and leave nothing that was not there."""
    try:
        if text is not None:
            path.write_text(text, encoding="utf-8")
            return
        place = path.resolve()  # where a link leads, which may not be there yet
        new = not place.exists()
        place.open("a").close()
        if new:
            place.unlink()
    except OSError as error:
        raise Unavailable("evaluate_plot", path=path, detail=error.strerror or error) from error


@contextmanager
def _bar(words: str, quiet: bool) -> Iterator[Callable[[int, int], None]]:
    """A bar on the terminal, beside what is printed for programs. Where there is no terminal a line each tenth, unless
    it is for a program (`quiet`), which may read both as one."""
    if not sys.stderr.isatty():
        yield lambda done, of: None if quiet else _say_tenth(words, done, of)
        return
    with Progress(console=Console(stderr=True)) as bar:
        task = bar.add_task(words)
        yield lambda done, of: bar.update(task, completed=done, total=of)


def _say_tenth(words: str, done: int, of: int) -> None:
    if of >= MANY and 10 * done // of > 10 * (done - 1) // of:
        click.echo(f"{words}  {done} / {of}", err=True)
