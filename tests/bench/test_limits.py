"""The limits of the figures: what misses one, and that nothing is measured that no limit knows. Nothing is timed."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import click
import pytest

from bench import every, saves
from bench.limits import LIMITS, Limit, missed, misses
from bench.measured import read_measured
from bench.readme_figures import ROWS, figures_table
from soak.test_vm_kills import NEEDED

ROOT = Path(__file__).resolve().parents[2]
GOOD = {"clients": 200, "acknowledged": 2000, "saves_to_noop": 0.75, "saves_to_bare": 0.6, "fsyncs_per_save": 0.06}
GOOD |= {"p99_to_p50": 4.0, "twice_to_once": 0.9}


@pytest.mark.parametrize(
    "change",
    [
        {"saves_to_noop": 0.749},
        {"saves_to_bare": 0.59},
        {"fsyncs_per_save": 0.061},
        {"fsyncs_per_save": None},
        {"p99_to_p50": 4.01},
        {"twice_to_once": 0.899},
        {"lost": 1},
        {"clients": 5},
        {"acknowledged": 20},
    ],
    ids=str,
)
def test_a_figure_beyond_its_limit_or_not_found_is_a_miss(change: dict[str, float | None]) -> None:
    good = {**GOOD, "lost": 0}
    assert misses("saves", good) == []
    [line] = misses("saves", good | change)
    assert next(iter(change)) in line and "must be" in line


def test_a_limit_says_itself() -> None:
    assert [str(one) for one in (Limit(least=0.75), Limit(most=4), Limit(1, 2))] == ["≥ 0.75", "≤ 4", "≥ 1 ≤ 2"]


def test_every_limit_has_its_line_in_the_readme_and_every_benchmark_its_file() -> None:
    assert set(every.ALL) <= set(LIMITS)
    assert set(LIMITS) == set(ROWS)
    assert all((ROOT / "tests" / "bench" / words[0]).is_file() for words in every.ALL.values())


def test_every_line_of_the_readme_can_be_written() -> None:
    machine = {"cores": 2, "arch": "x", "python": "3"}
    measured = {
        name: dict.fromkeys(re.findall(r"{(\w+)}", sentence), 7) | {"date": "2026-01-01", "machine": machine}
        for name, (_, _, sentence) in ROWS.items()
    }
    table = figures_table(measured)
    assert len(table.splitlines()) == len(ROWS) + 2 and "{" not in table


@pytest.mark.parametrize(
    ("name", "short"),
    [
        ("web_kills", {"kills": 1, "acknowledged": 0}),
        ("vm_kills", {"kills": 1, "acknowledged": 0}),
        ("vm_footage", {"cuts": 2}),
        ("camera_kills", {"kills": 4}),
        ("wifi", {"drops": 1, "chosen": 3, "replies_lost": 0}),
        ("hostile", {"sent": 700}),
        ("saves", {"clients": 5, "acknowledged": 20}),
        ("saves-slow-disk", {"clients": 5, "acknowledged": 20, "fsync_ms_added": 1}),
        ("saves-mirrored", {"clients": 5, "acknowledged": 20}),
        ("saves-pace", {"clients": 5}),
        ("saves-twice", {"clients": 5}),
        ("footage-load", {"clients": 5, "streams": 2, "seconds": 5}),
        ("papers", {"items_large": 5000}),
        ("listing", {"days": 2, "cameras": 1}),
        ("export", {"minutes": 1}),
        ("recording", {"seconds": 10}),
        ("page", {"questions": 10}),
        ("idle", {"seconds": 5}),
        ("busy", {"visits": 2}),
        ("busy-yunet", {"visits": 2, "frames_per_s": 4}),
    ],
)
def test_a_short_run_passes_for_no_figure(name: str, short: dict[str, int]) -> None:
    """Good in all else: what it must at least have done is what it misses."""
    whole = {figure: limit.least if limit.least is not None else limit.most for figure, limit in LIMITS[name].items()}
    assert misses(name, whole) == []
    assert missed(name, whole | short) == sorted(short, key=list(LIMITS[name]).index)


def test_a_recorded_figure_that_misses_is_said_in_both_languages() -> None:
    machine = {"cores": 2, "arch": "x", "python": "3"}
    good = {"decision_ms": 26, "decision_to_networks": 1.07, "embed_times_dlib": 15} | {"date": "-", "machine": machine}
    assert "未达标" not in figures_table({"face": good})
    row = figures_table({"face": good | {"embed_times_dlib": 11.3}}).splitlines()[-1]
    assert "**未达标** `embed_times_dlib` 11.3（应 ≥ 15）" in row
    assert "**misses**: `embed_times_dlib` 11.3 (must be ≥ 15)" in row
    del good["decision_to_networks"]
    row = figures_table({"face": good}).splitlines()[-1]
    assert "**没有测** `decision_to_networks`" in row and "**not measured**" in row


def test_what_is_recorded_is_of_whole_runs() -> None:
    """What it misses else, the README says in its row; how much was done is never short."""
    done = {
        "kills",
        "cuts",
        "drops",
        "clients",
        "acknowledged",
        "chosen",
        "sent",
        "items_large",
        "days",
        "minutes",
        "visits",
    }
    short = {name: done & set(missed(name, entry)) for name, entry in read_measured().items()}
    assert {name: figures for name, figures in short.items() if figures} == {}


def test_a_benchmark_that_gives_up_is_a_miss(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "broken.py").write_text("import sys; sys.exit('Error: wrk is missing')")
    monkeypatch.setattr(every, "HERE", tmp_path)
    monkeypatch.setitem(every.ALL, "papers", ("broken.py",))
    assert every.find("papers", keep=False) == {"missed": ["papers: Error: wrk is missing"]}


def test_a_compiler_without_headers_is_told_in_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gcc = tmp_path / "gcc"
    gcc.write_text(f"#!{sys.executable}\nimport sys; sys.exit('dlfcn.h: No such file or directory')\n")
    gcc.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(click.ClickException, match=r"test-packages.sh.*dlfcn.h"):
        saves.shim(tmp_path, 10)
    assert saves.shim(tmp_path, 0) == {}
    assert "libc6-dev" in (ROOT / "provisioning" / "test-packages.sh").read_text()


def test_what_the_power_cuts_need_is_what_vmtest_leaves() -> None:
    script = (ROOT / "provisioning" / "vmtest.sh").read_text()
    assert [name for name in NEEDED if f'"$vm/{name}"' not in script] == []
