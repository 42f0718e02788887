"""The two code slips of a bank, as text and as a page to print: a file each, so that each goes to its own person."""

from __future__ import annotations

import html
from pathlib import Path

from edge.errors import BadInput, Exists
from edge.trust.shares import SLIPS, Content, grouped
from edge.trust.signer import write_secret
from edge.why import why

_PAGE = """<!doctype html>
<html lang="zh-CN"><meta charset="utf-8"><title>{title}</title>
<style>
@page {{ size: A5; margin: 15mm }}
body {{ font: 14px/1.6 "Noto Sans CJK SC", "Microsoft YaHei", sans-serif; max-width: 130mm; margin: 0 auto }}
.code {{ font: bold 28px/2 monospace; letter-spacing: 2px; border: 2px solid; text-align: center; white-space: nowrap }}
</style>
<h1>{title}</h1>
<p>{bank}</p>
<p class="code">{code}</p>
{lines}
</html>
"""
_LINES = (
    "与另一张密码条分别由两人保管，分开存放，不得拍照、复印或告知对方。",
    "开考前由两人在监考台“解锁题库”中各自输入。共 16 位，最后一位是校验位。",
    "考试结束后当面销毁。遗失或泄露时立即报告，由上级换发新版本。",
    "Two persons keep one slip each, apart; no photograph, no copy, and neither tells the other.",
    "Before the exam each enters their own code at the console, under “Unlock the bank”: 16 digits.",
    "Destroy it after the exam. If it is lost or seen, report it at once: the bank gets a new version.",
)


def need_free(folder: Path) -> None:
    """Make `folder`. Exists `slips_exist` when it holds slips already; BadInput when it cannot be made."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        taken = any(file.exists() for slip in SLIPS for file in _files(folder, slip))
    except OSError as error:
        raise BadInput("file_unreadable", path=folder, detail=why(error)) from error
    if taken:
        raise Exists("slips_exist", path=folder)


def write_slips(folder: Path, content: Content, codes: tuple[str, str]) -> list[Path]:
    """Write both slips for `content` and return their files. BadInput when the folder does not let us."""
    need_free(folder)
    written = []
    for slip, code in zip(SLIPS, codes, strict=True):
        title = f"题库密码条 第 {slip} 张（共 2 张）/ Code slip {slip} of 2"
        bank = f"题库 / bank: {content.name}  版本 / version: {content.version}  [{content.sha256[:12]}]"
        text = "\n".join((title, bank, "", f"    {grouped(code)}", "", *_LINES)) + "\n"
        lines = "\n".join(f"<p>{html.escape(line)}</p>" for line in _LINES)
        page = _PAGE.format(title=html.escape(title), bank=html.escape(bank), code=grouped(code), lines=lines)
        try:
            for file, what in zip(_files(folder, slip), (text, page), strict=True):
                write_secret(file, what.encode())
                written.append(file)
        except OSError as error:
            raise BadInput("file_unreadable", path=folder, detail=why(error)) from error
    return written


def _files(folder: Path, slip: int) -> tuple[Path, Path]:
    return folder / f"slip-{slip}.txt", folder / f"slip-{slip}.html"
