"""What a person gets wrong at the command line, said in Chinese beside click's own English, and files that fail."""

from __future__ import annotations

import errno
import os

import click

from edge.errors import BadInput, ExamroomError, Unavailable
from edge.why import why

# a wrong argument, and a machine that will not; anything else is a fault of ours
_ARGUMENT = {errno.ENOENT, errno.EISDIR, errno.ENOTDIR, errno.EEXIST, errno.ENAMETOOLONG}
_MACHINE = {errno.EACCES, errno.EPERM, errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EMFILE}


def usage_sentence(error: click.UsageError) -> str | None:
    """What is wrong with the command, in Chinese; None where click shows the whole help instead."""
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        return None
    if isinstance(error, click.NoSuchOption):
        return f"没有选项 {error.option_name}。"
    if isinstance(error, click.MissingParameter):
        return f"缺少 {_hint(error)}。"
    if isinstance(error, click.BadParameter):
        return f"{_hint(error)} 的值不对。"
    return "命令的写法不对。"


def _hint(error: click.BadParameter) -> str:
    hint = error.param_hint
    if hint is None and error.param is not None:
        hint = error.param.get_error_hint(error.ctx)
    return "、".join(hint) if isinstance(hint, (list, tuple)) else str(hint or "参数").replace("'", "")


def file_error(error: OSError) -> ExamroomError | None:
    """The sentence for a file or disk that fails; None for what is no file's failure."""
    if error.errno not in _ARGUMENT | _MACHINE:
        return None
    kind = BadInput if error.errno in _ARGUMENT else Unavailable
    if not isinstance(error.filename, (str, bytes)):  # a write to what is open already names no file
        return kind("disk_failed", detail=why(error))
    return kind("file_failed", path=os.fsdecode(error.filename), detail=why(error))
