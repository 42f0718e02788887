"""`examroom bank blueprint add` and `bank rubric add`: what makes an exam of a bank's items, from a JSON file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from edge.bank.build import document_of, put_part
from edge.bank.imports import write_whole
from edge.bank.model import Blueprint, Rubric, parse_bank
from edge.bank.sources import document_in, json_of
from edge.domain.paper import shortages
from edge.errors import BadInput, Exists
from edge.why import where

_MODELS: dict[str, type[Blueprint] | type[Rubric]] = {"blueprints": Blueprint, "rubrics": Rubric}


def add_part(bank: Path, field: str, file: Path, replace: bool) -> tuple[str, Path]:
    """Put the blueprint or rubric in `file` into a bank that is a folder or a JSON file; its id and the file written.

    The bank with it is checked whole first. BadInput where either is wrong; Exists `file_exists` for one whose id
    the bank has already, unless `replace`.
    """
    try:
        part = _MODELS[field].model_validate(json_of(file))
    except ValueError as error:
        facts = where(error)
        raise BadInput("bank_broken", where=f"{file.name} {facts['where']}", detail=facts["detail"]) from error
    made: dict[str, Any] = part.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    document = document_in(bank) if bank.is_dir() else json_of(bank)
    if put_part(document, field, made) and not replace:
        raise Exists("file_exists", path=f"{bank} {part.id}")
    whole = parse_bank(json.dumps(document).encode())
    if bank.is_dir():
        target, content = bank / field / f"{part.id}.json", made
    else:
        target, content = bank, document_of(whole)
    write_whole(target, json.dumps(content, ensure_ascii=False, indent=1).encode() + b"\n")
    if isinstance(part, Blueprint):
        share = 100 if all(item.local for item in whole.items) else 0
        for short in shortages([item.facts() for item in whole.items], part.model_dump(), local_share=share):
            click.echo(f"注意 warning: 题目不够 / too few items: {short.detail}", err=True)
    return part.id, target


def _group(name: str, field: str, words: str) -> click.Group:
    @click.group(name, help=words)
    def group() -> None:
        pass

    @group.command("add", help=f"{words} BANK is a folder or a JSON file.")
    @click.argument("bank", type=click.Path(exists=True, path_type=Path))
    @click.option(f"--{name}", "file", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=True)
    @click.option("--replace", is_flag=True, help="In the place of one with its id.")
    def add(bank: Path, file: Path, replace: bool) -> None:
        added, target = add_part(bank, field, file, replace)
        click.echo(f"{target}: {added}")

    return group


blueprint_group = _group("blueprint", "blueprints", "Add a blueprint 组卷方案 to a bank.")
rubric_group = _group("rubric", "rubrics", "Add a score sheet 评分表 to a bank.")
