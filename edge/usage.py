"""What a person gets wrong at the command line, said in Chinese beside click's own English."""

from __future__ import annotations

import click


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
