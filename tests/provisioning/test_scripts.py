"""The shell scripts: shellcheck is content, --help helps, and what cannot work is refused with nothing changed."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

TREE = Path(__file__).parents[2]
PROVISIONING = TREE / "provisioning"
BOOTSTRAP = PROVISIONING / "bootstrap.sh"
SCRIPTS = [*sorted(PROVISIONING.glob("*.sh")), PROVISIONING / "examroom"]


def run(*words: str | Path) -> subprocess.CompletedProcess[str]:
    """Run as somebody without privileges, so that nothing here can install anything."""
    nobody = {"user": 65534, "group": 65534, "extra_groups": []} if os.getuid() == 0 else {}
    return subprocess.run(["bash", *map(str, words)], capture_output=True, text=True, check=False, cwd="/", **nobody)  # type: ignore[call-overload,no-any-return]


def has_both_languages(text: str) -> bool:
    lines = text.strip().splitlines()
    return any("\u4e00" <= c <= "\u9fff" for c in lines[0]) and lines[-1].isascii()


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_shellcheck_is_content(script: Path) -> None:
    shellcheck = Path(sys.executable).with_name("shellcheck")
    done = subprocess.run([str(shellcheck), str(script)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert os.access(script, os.X_OK)


@pytest.mark.parametrize("name", ["bootstrap.sh", "wheels.sh"])
def test_help_is_in_both_languages(name: str) -> None:
    done = run(PROVISIONING / name, "--help")
    assert done.returncode == 0
    assert "用法 / usage" in done.stdout
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("words", "about"),
    [
        (["--nonsense"], "--nonsense"),
        (["--from"], "--from"),
        (["--from", "/nowhere"], "/nowhere"),
        (["--from", "/nowhere.whl"], "/nowhere.whl"),
        (["--from", "/etc"], "/etc"),
        (["--offline-wheels", "/etc"], "/etc"),
        ([], "root"),
        (["--no-nginx", "--no-start", "--from", str(TREE)], "root"),
    ],
)
def test_bootstrap_refuses_with_a_sentence_and_exit_2(words: list[str], about: str) -> None:
    done = run(BOOTSTRAP, *words)
    assert done.returncode == 2
    assert about in done.stderr
    assert has_both_languages(done.stderr)
    assert done.stdout == ""


@pytest.mark.parametrize(
    "words", [[], ["--python", "3.9", "/tmp/x"], ["--arch", "riscv64", "/tmp/x"], ["--what", "/tmp/x"], ["a", "b"]]
)
def test_wheels_refuses_with_exit_2(words: list[str]) -> None:
    done = run(PROVISIONING / "wheels.sh", *words)
    assert done.returncode == 2
    assert done.stderr
    assert not Path("/tmp/x").exists()


def test_copy_tree_takes_what_a_wheel_needs_and_no_leftover(tmp_path: Path) -> None:
    done = subprocess.run([str(PROVISIONING / "copy-tree.sh"), str(TREE), str(tmp_path)], check=False)
    assert done.returncode == 0
    assert {path.name for path in tmp_path.iterdir()} <= {"pyproject.toml", "README.md", "LICENSE", "edge", "models"}
    assert (tmp_path / "models" / "dlib").is_dir()
    assert not [path for path in tmp_path.rglob("*") if path.is_symlink() or path.name == "__pycache__"]


def test_a_wheel_takes_every_pack_of_models() -> None:
    listed = tomllib.loads((TREE / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"]["data-files"]
    wanted = {path.parent.name for path in (TREE / "models").glob("*/manifest.toml")}
    assert wanted and {Path(target).name for target in listed} == wanted
    assert all(sources == [f"models/{Path(target).name}/*"] for target, sources in listed.items())


def test_no_file_of_the_tree_is_a_link() -> None:
    """A link is the first thing that a copy, an archive or another file system loses."""
    listed = subprocess.run(["git", "ls-files", "-s"], cwd=TREE, capture_output=True, text=True, check=False)
    if listed.returncode != 0:
        pytest.skip("not a git checkout")
    assert not [line for line in listed.stdout.splitlines() if line.startswith("120000")]


STUBS = {
    "id": "echo 0",
    "dpkg-query": 'if [ "${@: -1}" = gcc ] || [ -e "$HERE/installed" ]; then echo "install ok installed"; fi',
    "apt-get": '[ "$1" = update ] || [ -e "$HERE/network" ] || exit 100; [ "$1" = update ] || touch "$HERE/installed"',
}


def test_test_packages_says_what_is_skipped_and_stamps_only_when_nothing_is(tmp_path: Path) -> None:
    for name, body in STUBS.items():
        (tmp_path / name).write_text(f"#!/bin/bash\nHERE={tmp_path}\n{body}\n")
        (tmp_path / name).chmod(0o755)
    stamp = tmp_path / "stamp"
    script = ["bash", str(PROVISIONING / "test-packages.sh"), str(stamp)]
    environment = os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    without = subprocess.run(script, env=environment, capture_output=True, text=True, check=False)
    assert without.returncode == 0 and "chromium" in without.stderr and "gcc" not in without.stderr
    assert not stamp.exists()
    (tmp_path / "network").touch()
    with_it = subprocess.run(script, env=environment, capture_output=True, text=True, check=False)
    assert (with_it.returncode, with_it.stderr) == (0, "") and stamp.exists()
