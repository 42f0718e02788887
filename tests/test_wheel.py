"""A wheel built from the tree: it carries what the tree has, and runs the demo where there is nothing else."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path, PurePosixPath

import pytest

ROOT = Path(__file__).parents[1]
LEFT_OUT = {"__pycache__", "node_modules"}
BUILD = "import sys; from setuptools import build_meta; print(build_meta.build_wheel(sys.argv[1]))"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built without the network from a copy, since building leaves a folder behind."""
    tree, out = tmp_path_factory.mktemp("tree"), tmp_path_factory.mktemp("wheel")
    for name in ("edge", "models"):
        shutil.copytree(ROOT / name, tree / name, ignore=shutil.ignore_patterns(*LEFT_OUT))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copyfile(ROOT / name, tree / name)
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", BUILD, out], cwd=tree, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    (made,) = out.glob("*.whl")
    return made


def test_it_carries_every_file_of_the_package_and_every_pack(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as packed:
        names = [PurePosixPath(name) for name in packed.namelist()]
    inside = {str(name) for name in names if name.parts[0] == "edge"}
    assert inside == files_of("edge")
    data = {str(PurePosixPath(*name.parts[4:])) for name in names if name.parts[1:4] == ("data", "share", "examroom")}
    assert data == files_of("models")
    assert not [name for name in names if name.parts[0] in ("tests", "build", "systemd", "provisioning")]


def files_of(folder: str) -> set[str]:
    found = (file.relative_to(ROOT) for file in (ROOT / folder).rglob("*") if file.is_file())
    return {file.as_posix() for file in found if not LEFT_OUT & set(file.parts)}


# `--prefix` lays files out as `--user` and a virtual environment do, `--target` puts data beside the packages
@pytest.mark.parametrize("how", ["--target", "--prefix"])
def test_installed_elsewhere_it_finds_its_packs(wheel: Path, tmp_path: Path, how: str) -> None:
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--no-compile"]
    environment = {"PATH": "/usr/bin:/bin", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    # into a place of its own the installer need not know that this environment has the tree's one already
    command = [*install, "--ignore-installed", how, tmp_path / "there", wheel]
    subprocess.run(command, env=environment, check=True, capture_output=True, timeout=120)
    (typed,) = (tmp_path / "there").rglob("edge/py.typed")
    site = typed.parents[1]
    say = "from edge.vision import manifest; print(manifest.__file__, *manifest.known_packs())"
    done = subprocess.run(
        [sys.executable, "-c", say], cwd=tmp_path, env={"PYTHONPATH": str(site)}, capture_output=True, text=True
    )
    assert done.stderr == ""
    imported, *packs = done.stdout.split()
    assert Path(imported).is_relative_to(site)
    assert packs == sorted(file.parent.name for file in (ROOT / "models").glob("*/manifest.toml"))


@pytest.mark.long
@pytest.mark.timeout(600)
def test_installed_in_an_empty_place_it_runs_the_demo(wheel: Path, tmp_path: Path) -> None:
    """Its packages are those of this environment; what stands on the path before them is the wheel's alone."""
    venv.create(tmp_path / "venv", with_pip=True, system_site_packages=False)
    python = tmp_path / "venv" / "bin" / "python"
    install = [python, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", wheel]
    subprocess.run(install, check=True, capture_output=True, timeout=120)
    (own,) = (tmp_path / "venv" / "lib").glob("python*/site-packages")
    # the others' packages, not their start-up hooks: those would lead back to this tree
    (own / "others.pth").write_text("\n".join(path for path in sys.path if path.endswith("-packages")) + "\n")
    empty = tmp_path / "empty"
    empty.mkdir()
    where = subprocess.run(
        [python, "-c", "import edge; print(edge.__file__)"], cwd=empty, env={}, capture_output=True, text=True
    )
    assert Path(where.stdout.strip()).is_relative_to(own), where
    command = [tmp_path / "venv" / "bin" / "examroom", "demo", "--out", "shown"]
    done = subprocess.run(command, cwd=empty, env={"PATH": "/usr/bin:/bin"}, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert json.loads((empty / "shown" / "summary.json").read_text())["ledger_ok"] is True
