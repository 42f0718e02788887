"""What the commands that make passes share: their options, and the files a pass is written to."""

from __future__ import annotations

import functools
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import click
import segno

from edge import clock
from edge.errors import BadInput, Exists
from edge.trust.passes import LONGEST_DAYS, Pass, issue
from edge.trust.signer import Signer, write_secret

HOUR_MS = 3_600_000
SLACK_MS = 10 * 60_000
"""A pass made to count at once does so also in a room whose clock is a little behind."""
_TIME = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M:%S"])


@dataclass(frozen=True)
class Wanted:
    """What was asked for at the command line. Times are local."""

    holder: str
    rooms: Sequence[str]
    since: datetime
    until: datetime
    starts: datetime | None
    hours: int
    export: bool
    out: Sequence[Path]

    def make(self, signer: Signer) -> tuple[Pass, str]:
        """The pass and its text, and the files written. BadInput, Exists: nothing was made then."""
        for file in self.out:
            if file.exists():
                raise Exists("pass_file_exists", path=file)
        begins = clock.wall_ms() if self.starts is None else _ms(self.starts)
        made, text = issue(
            signer,
            name=self.holder,
            rooms=self.rooms,
            from_ms=_ms(self.since),
            until_ms=_ms(self.until),
            not_before_ms=begins - (SLACK_MS if self.starts is None else 0),
            expires_ms=begins + self.hours * HOUR_MS,
            export=self.export,
        )
        contents = [_drawn(text) if file.suffix == ".svg" else text.encode() + b"\n" for file in self.out]
        for file, content in zip(self.out, contents, strict=True):
            write_secret(file, content)
        return made, text


def pass_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of `Wanted`, given to the command as its `wanted`."""

    @functools.wraps(command)
    def run(*arguments: Any, **options: Any) -> Any:
        taken = {name: options.pop(name) for name in Wanted.__dataclass_fields__}
        return command(*arguments, wanted=Wanted(**taken), **options)

    for option in reversed(_OPTIONS):
        run = option(run)
    return run


_OPTIONS = (
    click.option("--holder", required=True, help="持有人 / whose pass it is."),
    click.option("--room", "rooms", multiple=True, required=True, help="考场号，可重复 / the rooms; may be repeated."),
    click.option("--from", "since", type=_TIME, required=True, help="可看录像从何时 / footage from this local time."),
    click.option("--until", "until", type=_TIME, required=True, help="可看录像到何时 / footage until this time."),
    click.option("--starts", type=_TIME, help="何时生效，默认现在 / when it begins to count; now."),
    click.option(
        "--hours",
        type=click.IntRange(1, LONGEST_DAYS * 24 - 1),
        default=24,
        show_default=True,
        help="有效小时数 / how long it counts.",
    ),
    click.option("--export", is_flag=True, help="允许导出证据 / evidence may be taken away."),
    click.option(
        "--out",
        type=click.Path(dir_okay=False, path_type=Path),
        multiple=True,
        help="写到文件：.svg 为二维码，其他为文本，可重复 / a QR code (.svg) or a text file; may be repeated.",
    ),
)


def facts_of(made: Pass, text: str, out: Sequence[Path]) -> dict[str, Any]:
    """What `--json` prints."""
    return {**made.model_dump(), "text": text, "files": [str(file) for file in out]}


def lines_of(made: Pass, text: str, out: Sequence[Path]) -> list[str]:
    """What is printed otherwise: the pass itself only where it was written to no file."""
    until = datetime.fromtimestamp(made.expires_ms / 1000).astimezone().strftime("%Y-%m-%d %H:%M")
    shown = [str(file) for file in out] or [text]
    return [f"{made.id}: {made.name}，有效至 / counts until {until}", *shown]


def _ms(moment: datetime) -> int:
    try:
        return round(moment.astimezone().timestamp() * 1000)
    except (OverflowError, ValueError) as error:
        raise BadInput("moment_wrong", text=moment.isoformat()) from error


def _drawn(text: str) -> bytes:
    """The QR code as SVG, with the text as its description, so that the file itself can be given in."""
    drawn = io.BytesIO()
    try:
        code = segno.make(text, error="m", micro=False, boost_error=False)
    except segno.DataOverflowError as error:
        raise BadInput("pass_too_large") from error
    code.save(drawn, kind="svg", desc=text, border=4, scale=4)
    return drawn.getvalue()
