"""What a person gets wrong at the command line, said in Chinese beside click's own English, and files that fail."""

from __future__ import annotations

import errno
import os

import click

from edge.errors import BadInput, ExamroomError, Unavailable

# errno -> Chinese; of these the first three are a wrong argument, the others a machine that will not
_ARGUMENT = {
    errno.ENOENT: "没有这个文件或目录",
    errno.EISDIR: "这是目录，不是文件",
    errno.ENOTDIR: "路径里有一段是文件，不是目录",
    errno.EEXIST: "已经有同名的文件",
    errno.ENAMETOOLONG: "名字太长",
}
_MACHINE = {
    errno.EACCES: "没有权限",
    errno.EPERM: "不允许",
    errno.ENOSPC: "磁盘已满",
    errno.EDQUOT: "配额已满",
    errno.EROFS: "磁盘只读",
    errno.EIO: "磁盘读写出错",
    errno.EMFILE: "打开的文件太多",
}


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
    number = error.errno or 0
    known = _ARGUMENT.get(number) or _MACHINE.get(number)
    if known is None:
        return None
    kind = BadInput if number in _ARGUMENT else Unavailable
    if not isinstance(error.filename, (str, bytes)):  # a write to what is open already names no file
        return kind("disk_failed", zh=known, en=os.strerror(number))
    return kind("file_failed", path=os.fsdecode(error.filename), zh=known, en=os.strerror(number))
