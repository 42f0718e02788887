"""The documents say what is: commands, targets, files, dependencies, the import table, and the measured figures."""

from __future__ import annotations

import configparser
import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from openpyxl import load_workbook

from bench.measured import read_measured
from bench.readme_figures import ROWS, with_figures
from edge.cli import main

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
ARCHITECTURE = (ROOT / "ARCHITECTURE.md").read_text()
CHANGELOG = (ROOT / "CHANGELOG.md").read_text()
DOCUMENTS = {"README.md": README, "ARCHITECTURE.md": ARCHITECTURE, "CHANGELOG.md": CHANGELOG}


def blocks(text: str) -> list[str]:
    return re.findall(r"^```sh\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def marked(text: str, marker: str) -> str:
    """The code block between <!-- marker --> and <!-- /marker -->, without its fence."""
    found = re.search(rf"<!-- {marker} -->\n```\w*\n(.*?)```\n<!-- /{marker} -->", text, re.DOTALL)
    assert found is not None, marker
    return found[1]


def command_lines() -> list[list[str]]:
    lines = [line for block in blocks(README) for line in block.splitlines()]
    words = [shlex.split(line, comments=True) for line in lines]
    words = [w[1:] if w[:1] == ["sudo"] else w for w in words]
    return [w[1:] for w in words if w[:1] == ["examroom"]]


@pytest.mark.parametrize("words", command_lines(), ids=" ".join)
def test_every_command_of_the_readme_exists_with_its_options(words: list[str]) -> None:
    command: click.Command = main
    path: list[str] = []
    with click.Context(main) as context:
        for word in words:
            if not isinstance(command, click.Group) or word.startswith("-"):
                break
            found = command.get_command(context, word)
            assert found is not None, word
            command, path = found, [*path, word]
        options = {name for parameter in command.params for name in parameter.opts}
    assert not isinstance(command, click.Group)
    assert {word for word in words if word.startswith("--")} <= options
    shown = CliRunner().invoke(main, [*path, "--help"])
    assert shown.exit_code == 0, shown.output


def test_the_readme_has_commands_for_every_side() -> None:
    assert {words[0] for words in command_lines()} >= {
        "enrol",
        "bank",
        "session",
        "run",
        "verify",
        "gateway",
        "footage",
    }


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_make_target_named_exists(name: str) -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"`make ([a-z]+)", DOCUMENTS[name]))
    named |= {
        w[1] for block in blocks(DOCUMENTS[name]) for w in map(str.split, block.splitlines()) if w[:1] == ["make"]
    }
    assert named <= targets


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_linked_file_exists(name: str) -> None:
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", DOCUMENTS[name]) if "://" not in link]
    assert [link for link in links if not (ROOT / link).is_file()] == []


def test_every_path_the_documents_name_exists() -> None:
    words = " ".join(re.findall(r"`([^`\n]+)`", ARCHITECTURE + README + "\n".join(blocks(README)))).split()
    paths = {w.strip(",;.") for w in words if re.fullmatch(r"[a-zA-Z_.]+(/[a-zA-Z_.-]+)+/?", w)}
    paths = {path for path in paths if path.endswith(("/", ".py", ".sh", ".toml", ".md", ".js", ".yaml", ".json"))}
    paths = {path for path in paths if not re.search("AREA|PERSON", path)}
    assert len(paths) > 20
    assert (
        sorted(p for p in paths - {"keys/pending/"} if not (ROOT / p).exists() and not (ROOT / "edge" / p).exists())
        == []
    )


def test_the_picture_is_small() -> None:
    assert (ROOT / "docs" / "console.png").stat().st_size < 400_000


def test_every_dependency_has_its_line() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    groups = {"": project["dependencies"], **project["optional-dependencies"]}
    table = ARCHITECTURE.split("## Dependencies")[1].split("\n## ")[0]
    first_cells = " , ".join(line.split("|")[1] for line in table.splitlines() if line.startswith("| "))
    words = set(re.findall(r"[\w-]+", first_cells))
    named = {re.split(r"[<>=\[]", d)[0] for group in groups.values() for d in group} - {"examroom-edge"}
    assert named - words == set()
    assert words - named - {"package", *groups} == set(), "a line for something that is no dependency"


def test_the_import_table_is_the_linters() -> None:
    linter = configparser.ConfigParser()
    linter.read(ROOT / ".importlinter")
    assert marked(ARCHITECTURE, "layers").strip() == linter["importlinter:contract:table"]["layers"].strip()


def test_architecture_stays_one_page() -> None:
    assert len(ARCHITECTURE.splitlines()) <= 150


def test_every_command_said_not_to_be_there_is_not() -> None:
    """So that the list shrinks when a command comes."""
    missing = CHANGELOG.split("### Not there yet")[1]
    named = re.findall(r"`(?:examroom )?([a-z-]+(?: [a-z]+)?)`", missing)
    assert len(named) > 5
    for words in named:
        assert CliRunner().invoke(main, [*words.split(), "--help"]).exit_code != 0, words


def test_the_readmes_figures_are_the_measured_ones() -> None:
    measured = read_measured()
    assert set(measured) <= set(ROWS)
    assert with_figures(README, measured) == README


def run_block(script: str, folder: Path) -> str:
    folders = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=folder,
        env=os.environ | {"PATH": folders},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_small_sites_commands_run_as_written(tmp_path: Path) -> None:
    run_block(marked(README, "small-site"), tmp_path)
    roster = tmp_path / "roster.xlsx"
    book = load_workbook(roster)
    book["工作人员"]["E2"], book["工作人员"]["E3"] = "135790", "246802"
    book.save(roster)
    said = run_block("export EXAMROOM_CONFIG=examroom.toml\n" + marked(README, "small-site-2"), tmp_path)
    assert "S-001  planned" in said
