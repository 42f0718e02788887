"""A plot of an evaluation, as SVG that any browser opens: the errors against each other, and where distances lie."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

import numpy as np
import numpy.typing as npt

WIDTH, HEIGHT = 420, 320
LEFT, TOP = 60, 40
BINS = 50
LEAST = 1e-4
SAME, DIFFERENT, LINE = "#1b6e3c", "#a8321f", "#444"


def evaluation_svg(report: dict[str, Any]) -> str:
    """Left: TAR over FAR (a logarithmic scale) with the shipped threshold; right: distances of both kinds of pairs."""
    own, other = report["distances"]
    title = f"{report['pack']} {report['pack_version']}: {len(own)} same, {len(other)} different pairs"
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {2 * (WIDTH + LEFT) + 60} {HEIGHT + 110}" '
            f'font-family="sans-serif" font-size="12"><rect width="100%" height="100%" fill="#fff"/>',
            f'<text x="{LEFT}" y="22" font-size="15">{escape(title)}</text>',
            *_roc(report),
            *_histogram(report, own, other),
            "</svg>\n",
        ]
    )


def _frame(x: int, across: str, up: str) -> list[str]:
    middle = TOP + HEIGHT / 2
    return [
        f'<rect x="{x}" y="{TOP}" width="{WIDTH}" height="{HEIGHT}" fill="none" stroke="{LINE}"/>',
        f'<text x="{x + WIDTH / 2}" y="{TOP + HEIGHT + 48}" text-anchor="middle">{escape(across)}</text>',
        f'<text x="{x - 42}" y="{middle}" text-anchor="middle" transform="rotate(-90 {x - 42} {middle})">'
        f"{escape(up)}</text>",
    ]


def _roc(report: dict[str, Any]) -> list[str]:
    x0 = LEFT
    decades = round(-np.log10(LEAST))

    def place(far: float, tar: float) -> tuple[float, float]:
        return x0 + WIDTH * (1 + np.log10(max(far, LEAST)) / decades), TOP + HEIGHT * (1 - tar)

    drawn = _frame(x0, "FAR (false accept rate)", "TAR = 1 - FNMR")
    for power in range(decades + 1):
        x, _ = place(10.0**-power, 0)
        drawn.append(f'<line x1="{x:.1f}" y1="{TOP}" x2="{x:.1f}" y2="{TOP + HEIGHT}" stroke="#ddd"/>')
        drawn.append(f'<text x="{x:.1f}" y="{TOP + HEIGHT + 16}" text-anchor="middle">{10.0**-power:g}</text>')
    for tar in (0.0, 0.25, 0.5, 0.75, 1.0):
        _, y = place(1, tar)
        drawn.append(f'<text x="{x0 - 6}" y="{y + 4:.1f}" text-anchor="end">{tar:g}</text>')
    points = [place(point["fmr"], 1 - point["fnmr"]) for point in report["roc"]]
    if points:
        way = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        drawn.append(f'<polyline points="{way}" fill="none" stroke="{SAME}" stroke-width="2"/>')
    if report["fmr"] is not None and report["fnmr"] is not None:
        x, y = place(report["fmr"], 1 - report["fnmr"])
        words = f"{report['threshold']:g}: FMR {report['fmr']:.2g}, FNMR {report['fnmr']:.2g}"
        drawn.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5" fill="{DIFFERENT}"/>')
        drawn.append(f'<text x="{x0 + WIDTH - 8}" y="{TOP + HEIGHT - 12}" text-anchor="end">{escape(words)}</text>')
    return drawn


def _histogram(report: dict[str, Any], own: npt.NDArray[np.float64], other: npt.NDArray[np.float64]) -> list[str]:
    x0 = 2 * LEFT + WIDTH + 20
    everything = np.concatenate([own, other])
    end = max(1.2, float(everything.max()) if everything.size else 0.0)
    drawn = _frame(x0, "distance of the templates", "share of the pairs")
    counts = [np.histogram(values, BINS, (0, end))[0] / max(1, len(values)) for values in (own, other)]
    most = max(1e-9, *(float(shares.max()) for shares in counts))
    for shares, colour, name, line in ((counts[0], SAME, "same", 0), (counts[1], DIFFERENT, "different", 1)):
        drawn.append(
            f'<polyline points="{_steps(shares, x0, most)}" fill="{colour}" fill-opacity="0.35" stroke="none"/>'
        )
        drawn.append(f'<text x="{x0 + 10}" y="{TOP + 18 + 16 * line}" fill="{colour}">{name}</text>')
    for limit, name in ((report["threshold"], "accept"), (report["threshold_refuse"], "refuse")):
        x = x0 + WIDTH * min(1.0, limit / end)
        drawn.append(
            f'<line x1="{x:.1f}" y1="{TOP}" x2="{x:.1f}" y2="{TOP + HEIGHT}" stroke="{LINE}" stroke-dasharray="4 3"/>'
        )
        up = TOP + HEIGHT + (16 if name == "accept" else 28)
        drawn.append(f'<text x="{x:.1f}" y="{up}" text-anchor="middle">{name} {limit:g}</text>')
    return drawn


def _steps(shares: Sequence[float] | npt.NDArray[np.float64], x0: float, most: float) -> str:
    corners: list[tuple[float, float]] = [(x0, TOP + HEIGHT)]
    for place, value in enumerate(shares):
        y = TOP + HEIGHT * (1 - 0.95 * float(value) / most)
        corners += [(x0 + WIDTH * place / BINS, y), (x0 + WIDTH * (place + 1) / BINS, y)]
    corners.append((x0 + WIDTH, TOP + HEIGHT))
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in corners)
