"""What somebody tried by command and was refused is in the ledger, as it is at the pages."""

from __future__ import annotations

import functools
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

from edge.errors import ExamroomError
from edge.store import ledger
from edge.store.db import open_room
from edge.why import file_error

P = ParamSpec("P")
T = TypeVar("T")


def notes_refusals(
    act: str,
) -> Callable[[Callable[Concatenate[Any, P], T]], Callable[Concatenate[Any, P], T]]:
    """For a command that is given the context: any refusal, also by a file or disk, leaves an `act_refused`
    {reason, act}, where there is a room to note it in, and goes on.

    What click itself refuses never comes here: the command line notes that, by the name kept in `refused_act`.
    """

    def wrap(command: Callable[Concatenate[Any, P], T]) -> Callable[Concatenate[Any, P], T]:
        @functools.wraps(command)
        def run(context: Any, /, *arguments: P.args, **options: P.kwargs) -> T:
            try:
                return command(context, *arguments, **options)
            except (ExamroomError, OSError) as error:
                refusal = file_error(error) if isinstance(error, OSError) else error
                if refusal is not None:
                    note_refusal(context, act, refusal.code)
                raise

        run.__dict__["refused_act"] = act
        return run

    return wrap


def note_refusal(context: Any, act: str, reason: str) -> None:
    """As well as it can be: the refusal itself is what has to be told."""
    with suppress(ExamroomError, OSError, sqlite3.Error):
        _note(context.config().paths.room_db, act, reason)


def _note(room_db: Path, act: str, reason: str) -> None:
    if room_db.exists():
        with closing(open_room(room_db)) as connection:
            ledger.note(connection, "act_refused", {"reason": reason, "act": act})
