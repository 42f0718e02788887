"""`examroom bank import`, `export` and `template`."""

from __future__ import annotations

import io
import json
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import Progress

from edge.bank.drafts import Step
from edge.bank.exposure import add_exposure, read_exposure
from edge.bank.imports import Imported, Wishes, import_files, write_bank, write_whole
from edge.bank.items import Item, media_names
from edge.bank.model import BankDocument
from edge.bank.problems import Problem
from edge.bank.qti.write import package_of
from edge.bank.xlsx.write import template, workbook_of
from edge.domain.reasons import LANGUAGES, bare, words
from edge.errors import BadInput, Exists

_MANY = 200  # items before a bar is worth its line


def show_problems(problems: tuple[Problem, ...], before: str = "") -> None:
    """All of them on the error output, one a line and language."""
    for problem in problems:
        name = f" [{problem.item}]" if problem.item else ""
        click.echo(f"{before}{problem.where}{name} {problem.sentence('zh')} / {problem.sentence('en')}", err=True)


@contextmanager
def bars(quiet: bool = False) -> Iterator[Callable[[str], Step]]:
    """A progress bar for each file that turns out to be large, on the error output of a terminal."""
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=quiet or not console.is_terminal) as progress:

        def start(label: str) -> Step:
            tasks: list[Any] = []

            def step(done: int, total: int) -> None:
                if total >= _MANY:
                    if not tasks:
                        tasks.append(progress.add_task(label, total=total))
                    if done % 50 == 0 or done == total:
                        progress.update(tasks[0], completed=done)

            return step

        yield start


@click.command("import")
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), required=True, help="A .json file, or a folder.")
@click.option("--name", help="The bank's id, where the files do not say.")
@click.option("--title", help="Its title in Chinese.")
@click.option("--title-en", default="", help="Its title in English.")
@click.option("--media", type=click.Path(exists=True, path_type=Path), help="A folder or zip with a workbook's media.")
@click.option("--test", type=click.Choice(["safety", "theory"]), help="For items that do not say. Likewise:")
@click.option("--topic")
@click.option("--difficulty", type=click.IntRange(1, 5))
@click.option("--points", type=click.IntRange(1, 100), help="Default: 1, as QTI's templates give.")
@click.option("--standard", help="The standard's number, e.g. JGJ 130-2011.")
@click.option("--standard-title")
@click.option("--edition")
@click.option("--clause")
@click.option(
    "--exposure",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    multiple=True,
    help="Counts from a room (bank exposure --out), added to the items' own.",
)
@click.option("--new-ids", default="", help="Number a package's items PREFIX0001 ... instead of using their ids.")
@click.option("--local", is_flag=True, help="An institution's own items.")
@click.option("--sample", is_flag=True, help="Samples, not for exams.")
@click.option("--replace", is_flag=True, help="Write over an existing file.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def import_command(
    files: tuple[Path, ...], out: Path, replace: bool, as_json: bool, exposure: tuple[Path, ...], **options: Any
) -> None:
    """Import QTI 2.1, 2.2 and 3.0 packages or items, and workbooks of the template, as one bank.

    Every problem is named with its cell or element; while there is one, nothing is written.
    """
    target = out if out.suffix.lower() == ".json" else out / "items.json"
    if target.exists() and not replace:
        raise Exists("file_exists", path=target)
    wishes, used = _wishes(options), read_exposure(exposure)
    with bars(as_json) as progress:
        done = import_files(files, wishes, progress)
    if done.bank is not None:
        target = write_bank(add_exposure(done.bank, used), out, replace)
    _tell(done, target, as_json)


def _wishes(options: dict[str, Any]) -> Wishes:
    source = {
        "standard": options["standard"],
        "title": options["standard_title"] or options["standard"],
        "edition": options["edition"],
        "clause": options["clause"],
    }
    defaults = {name: options[name] for name in ("test", "topic", "difficulty", "points") if options[name] is not None}
    if any(source.values()):
        defaults["source"] = {name: value for name, value in source.items() if value}
    return Wishes(
        name=options["name"],
        title={"zh": options["title"], "en": options["title_en"]} if options["title"] else None,
        sample=options["sample"],
        local=options["local"],
        defaults=defaults,
        new_ids=options["new_ids"],
        media=options["media"],
    )


def _tell(done: Imported, target: Path, as_json: bool) -> None:
    if not as_json:
        show_problems(done.warnings, "注意 warning: ")
    if as_json:
        document = {
            "bank": None if done.bank is None else done.bank.bank,
            "items": done.items,
            "written": None if done.bank is None else str(target),
            "problems": [problem.as_json() for problem in done.problems],
            "warnings": [problem.as_json() for problem in done.warnings],
        }
        click.echo(json.dumps(document, ensure_ascii=False))
    elif done.bank is None:
        show_problems(done.problems)
        count = len(done.problems)
        click.echo(f"{count} 个问题，没有导入任何题目 / {count} problems, nothing was imported", err=True)
    else:
        click.echo(f"{target}: {len(done.bank.items)} 题 / items, {len(done.bank.media)} 媒体 / media")
    if done.bank is None:  # not one item: the files are not what they have to be, and not only wrong in places
        sys.exit(1 if done.items else 2)


@click.command("template")
@click.argument("file", type=click.Path(path_type=Path))
def template_command(file: Path) -> None:
    """Write the empty workbook with its drop-downs and explanations."""
    if file.exists():
        raise Exists("file_exists", path=file)
    write_whole(file, template())
    click.echo(f"{file}")


def export(bank: BankDocument, out: Path, as_workbook: bool, replace: bool) -> list[Path]:
    """Write `bank` as a QTI 3.0 package, or as a workbook with its media in a zip beside it; gives the files.

    What is written was read back first. BadInput names the items that did not come back as they were; Exists
    when a file is there already.
    """
    media = out.with_name(out.stem + "-media.zip")
    targets = [out, media] if as_workbook and bank.media else [out]
    for target in targets:
        if target.exists() and not replace:
            raise Exists("file_exists", path=target)
    with bars() as progress:
        contents = [workbook_of(bank)] if as_workbook else [package_of(bank, progress(out.name))]
        if len(targets) > 1:
            contents.append(_zip_media(bank))
        _read_back(bank, [target.name for target in targets], contents, progress)
    for target, content in zip(targets, contents, strict=True):
        write_whole(target, content)
    return targets


def _zip_media(bank: BankDocument) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, media in bank.media.items():
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), media.content())
    return buffer.getvalue()


def _read_back(bank: BankDocument, names: list[str], contents: list[bytes], progress: Callable[[str], Step]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / name for name in names]
        for file, content in zip(files, contents, strict=True):
            file.write_bytes(content)
        done = import_files(files[:1], Wishes(media=files[1] if len(files) > 1 else None), progress)
    if done.bank is None:
        first = done.problems[0]
        items = sorted({problem.item for problem in done.problems if problem.item})
        said = {language: bare(first.sentence(language)) for language in LANGUAGES}
        detail = words("input_at", where=first.where, detail=said)
        raise BadInput("bank_export_differs", items=", ".join(items[:20]) or "-", detail=detail)
    back: dict[str, Item] = {item.id: item for item in done.bank.items}
    wanted = {item.id: item for item in bank.items}
    if changed := [name for name in {**wanted, **back} if back.get(name) != wanted.get(name)]:
        raise BadInput("bank_export_differs", items=", ".join(changed[:20]), detail="items")
    # a workbook names files from its items: one that none shows has no place there
    used = set().union(*(media_names(item) for item in bank.items))
    kept = set(bank.media) if not names[0].lower().endswith(".xlsx") else used
    if changed := sorted(name for name in kept if done.bank.media.get(name) != bank.media[name]):
        raise BadInput("bank_export_differs", items=", ".join(changed[:20]), detail="media")
    for name in ("bank", "title", "sample", "counted"):
        if getattr(done.bank, name) != getattr(bank, name):
            raise BadInput("bank_export_differs", items="-", detail=name)
    for name in ("blueprints", "rubrics"):
        if changed := [one.id for one in getattr(bank, name) if one not in getattr(done.bank, name)]:
            raise BadInput("bank_export_differs", items=", ".join(changed[:20]), detail=name)


def write_export(bank: BankDocument, out: Path, as_workbook: bool, replace: bool) -> None:
    """Export and say what was written."""
    for file in export(bank, out, as_workbook or out.suffix.lower() == ".xlsx", replace):
        click.echo(f"{file}: {file.stat().st_size} B")
