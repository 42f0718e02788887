"""The main job, whole: `examroom demo` as a user runs it, and what it leaves behind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import support
from edge.config import load_config
from edge.demo.checks import misses, nothing_yet
from edge.demo.footage import footage
from edge.demo.people import CLASS_SIZE
from edge.trust.verifier import read_root, verify_file
from edge.trust.verifier.roots import read_witness

SPY = Path(next(iter(support.__path__))) / "spy"
LIBRARIES = {"flask", "opencv-python", "onnxruntime", "sqlite-utils", "requests", "gpiozero"}


@dataclass(frozen=True)
class Ran:
    out: Path
    code: int
    printed: str
    summary: dict[str, Any]
    calls: Counter[str]


def run_demo(folder: Path) -> Ran:
    spied = folder / "spied"
    spied.mkdir()
    paths = [str(SPY), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths), "SPY_FOLDER": str(spied)}
    done = subprocess.run(
        [sys.executable, "-m", "edge.cli", "demo", "--out", str(folder / "out")],
        capture_output=True,
        text=True,
        env=environment,
        cwd=folder,
    )
    calls: Counter[str] = Counter()
    for file in spied.iterdir():
        calls.update(json.loads(file.read_text())["counts"])
    summary_file = folder / "out" / "summary.json"
    assert summary_file.exists(), done.stdout[-2000:] + done.stderr[-4000:]
    return Ran(folder / "out", done.returncode, done.stdout, json.loads(summary_file.read_text()), calls)


def check_it_ends_well_and_says_so(ran: Ran) -> None:
    assert ran.code == 0, ran.printed
    summary = ran.summary
    assert (summary["admitted"], summary["refused"], summary["manual"]) == (CLASS_SIZE, 1, 1)
    assert summary["by_policy"] == CLASS_SIZE - 2
    assert summary["acknowledged"] == summary["stored"] == CLASS_SIZE * 38
    assert [summary[f"answers_{how}"] for how in ("lost", "doubled", "changed")] == [0, 0, 0]
    assert summary["retries"] > 0, "the killed web must have been noticed"
    assert summary["footage_files"] > 3 and summary["footage_wrong"] == []
    assert [gap["cause"] for gap in summary["gaps"]] == ["killed"]
    assert summary["results"] == summary["receipts"] == CLASS_SIZE
    assert summary["doubled"] == 0 and summary["arrivals_each"][0] >= 2
    assert summary["ledger_ok"] is True
    assert list(summary) == list(nothing_yet()), "what broke off has the same keys"
    assert summary["flips_tried"] == summary["flips_named"] == 100
    assert summary["seconds"] > 0
    for word in ("admitted", "refused", "receipts", "killed", f"{summary['seconds']} s"):
        assert word in ran.printed


def check_each_library_of_the_users_choice_did_real_work(ran: Ran) -> None:
    assert {name for name in LIBRARIES if ran.calls[name] > 0} == LIBRARIES
    assert ran.calls["flask"] > 200  # the killed web took its count with it
    assert ran.calls["onnxruntime"] >= 8


def check_what_it_leaves_verifies_with_the_root_alone(ran: Ran) -> None:
    roots = [read_root(str(ran.out / "room" / "trust" / "root.pub"))]
    results = list((ran.out / "results").rglob("*.json"))
    assert len(results) == CLASS_SIZE
    for file in (*results, ran.out / ran.summary["evidence"]):
        verdict = verify_file(file, roots)
        assert verdict.ok, verdict.sentence("en")
    receipts = list((ran.out / "receipts").glob("*.json"))
    assert len(receipts) == CLASS_SIZE
    witnesses = [read_witness(str(ran.out / "gateway.json"), roots)]
    assert all(verify_file(file, roots, witnesses).ok for file in receipts)


def check_no_log_carries_a_name_a_number_or_a_badge(ran: Ran) -> None:
    from edge.demo.people import candidates

    text = "".join(file.read_text(errors="replace") for file in (ran.out / "logs").iterdir())
    assert text
    for person in candidates(photos=False):
        assert person["name"] not in text
        assert person["document"]["number"] not in text
        assert person["badge"] not in text


def check_footage_taken_away_afterwards_is_missed(ran: Ran) -> None:
    config = load_config(ran.out / "examroom.toml")
    assert misses(ran.summary | footage(config)) == []
    files = sorted(config.paths.recordings.rglob("*.mp4"), key=lambda file: file.stat().st_mtime)
    files[len(files) // 2].unlink()
    assert misses(ran.summary | footage(config)) == ["footage files", "footage"]


@pytest.mark.timeout(420)
def test_the_whole_demo(tmp_path: Path) -> None:
    """One test, since one run takes two minutes: each check below looks at another side of it."""
    ran = run_demo(tmp_path)
    check_it_ends_well_and_says_so(ran)
    check_each_library_of_the_users_choice_did_real_work(ran)
    check_what_it_leaves_verifies_with_the_root_alone(ran)
    check_no_log_carries_a_name_a_number_or_a_badge(ran)
    check_footage_taken_away_afterwards_is_missed(ran)
