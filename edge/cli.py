"""The `examroom` command. Exit codes: 0 done, 1 the check or job failed, 2 wrong usage or configuration.

Groups are loaded when they are used, so a room without the gateway's extra still has every other command.
"""

from __future__ import annotations

import functools
import importlib
import signal
import socket
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import click

from edge import __version__
from edge.config import Config, config_path, load_config
from edge.errors import BadInput, ExamroomError, Unavailable
from edge.usage import usage_sentence
from edge.why import file_error, why

# command -> (module, attribute, extra it needs, one line for --help)
_LAZY = {
    "bank": ("edge.bank.commands", "bank", None, "Lint, build and inspect question banks 题库"),
    "demo": ("edge.demo.commands", "demo", "demo", "Run a whole simulated session and check every figure 演示"),
    "enrol": ("edge.uplink.commands", "enrol", None, "Enrol this box to a room 登记考场"),
    "faces": ("edge.vision.commands", "faces", None, "Install, list and measure face packs 人脸模型"),
    "footage": ("edge.recording.commands", "footage", None, "List and export footage 录像"),
    "gateway": ("edge.gateway.commands", "gateway", "gateway", "The province's receiving side 省级网关"),
    "paper": ("edge.exam.paper_commands", "paper", None, "Draw a recorded paper again, to the byte 试卷复现"),
    "pass": ("edge.exam.pass_commands", "pass_group", None, "Make and revoke passes to spot checks 抽查通行证"),
    "rehearse": ("edge.ops.rehearsal.commands", "rehearse_command", None, "Simulate a class: is the box fit? 演练"),
    "restore": ("edge.ops.restore", "restore_command", None, "Rebuild the room from its second medium 恢复考场"),
    "session": ("edge.exam.commands", "session", None, "Plan and list sessions, write results 考试场次"),
    "tls": ("edge.trust.tls_commands", "tls", None, "Make, renew and show the certificates of the pages 网页证书"),
    "uplink": ("edge.uplink.commands", "uplink", None, "Uploads and receipts 上传与回执"),
    "verify": ("edge.trust.verifier.commands", "verify", None, "Verify a result or evidence file offline 离线验证"),
    "verify-page": ("edge.trust.verifier.pagefile", "verify_page", None, "Write the verifier as a web page 核验网页"),
}
# commands of a group that need what its own package may not import
_MORE = {
    "bank": (("edge.exam.exposure", "exposure_command"),),
    "faces": (("edge.services.enrolling", "enrol_command"),),
    "footage": (
        ("edge.recording.sample_commands", "sample"),
        ("edge.recording.look_commands", "looks_command"),
        *(("edge.recording.space_commands", f"{name}_command") for name in ("space", "hold", "release", "inspected")),
    ),
}


class Context:
    """What every command may ask for; the configuration is read when it is wanted, not before."""

    def __init__(self, config_file: Path | None) -> None:
        self.config_file = config_path(config_file)

    def config(self) -> Config:
        return load_config(self.config_file)

    def check_document(self, kind: str, content: bytes) -> None:
        """BadInput where a room could not take this bank, roster or policy: the gateway itself knows no exam."""
        from edge.bank.model import parse_bank
        from edge.exam.documents import parse_policy
        from edge.exam.roster_taking import need_good

        {"bank": parse_bank, "roster": need_good, "policy": parse_policy}[kind](content)

    def photo_judge(self) -> Callable[[bytes], tuple[str, ...]] | None:
        """Says what keeps a photograph from being enrolled here; None while no face pack is installed."""
        from edge.checkin.enrol import photo_faults
        from edge.vision import packs

        config = self.config()
        try:
            pack = packs.load(config.checkin.pack, config.paths.models)
        except ExamroomError:
            return None
        return functools.partial(photo_faults, pack)


class LazyGroup(click.Group):
    """Subcommands by name; importing one is what may need an extra. Every refusal becomes a sentence and exit code."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted([*super().list_commands(ctx), *_LAZY])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _LAZY:
            return super().get_command(ctx, cmd_name)
        module, attribute, extra, _ = _LAZY[cmd_name]
        try:
            found: click.Command = getattr(importlib.import_module(module), attribute)
            for more, name in _MORE.get(cmd_name, ()):
                if isinstance(found, click.Group):
                    found.add_command(getattr(importlib.import_module(more), name))
        except ModuleNotFoundError as error:
            if extra is None or (error.name or "").startswith("edge"):
                raise
            raise BadInput("extra_missing", extra=extra, detail=error.name) from error
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        rows = [(name, line) for name, (_, _, _, line) in _LAZY.items()]
        rows += [(name, command.get_short_help_str()) for name, command in self.commands.items()]
        with formatter.section("Commands"):
            formatter.write_dl(sorted(rows))

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        try:
            return super().make_context(*args, **kwargs)
        except click.UsageError as error:
            raise _in_chinese_too(error)  # noqa: B904 - the same error goes on

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except click.UsageError as error:
            _note_misuse(error)
            raise _in_chinese_too(error)  # noqa: B904 - the same error goes on
        except ExamroomError as error:
            _refuse(error)
        except OSError as error:
            failed = None if ctx.invoked_subcommand == "service" else file_error(error)  # a service's log wants it all
            if failed is None:
                raise
            _refuse(failed)


def _refuse(error: ExamroomError) -> NoReturn:
    click.echo(error.sentence("zh"), err=True)
    click.echo(error.sentence("en"), err=True)
    sys.exit(error.exit_code)


def _in_chinese_too(error: click.UsageError) -> click.UsageError:
    """Click says it in English once this is raised."""
    if text := usage_sentence(error):
        click.echo(text, err=True)
    return error


def _note_misuse(error: click.UsageError) -> None:
    """A wrong option of an act on the room is in the room's ledger, as its other refusals are."""
    command = error.ctx.command if error.ctx is not None else None
    act = getattr(command.callback, "refused_act", None) if command is not None else None
    if error.ctx is not None and act is not None:
        from edge.store.refusals import note_refusal

        note_refusal(error.ctx.obj, act, "command_misused")


@click.group(cls=LazyGroup)
@click.version_option(__version__, prog_name="examroom")
@click.option("--config", "config_file", type=click.Path(path_type=Path), help="The configuration file.")
@click.pass_context
def main(ctx: click.Context, config_file: Path | None) -> None:
    """The box in a construction-trades exam room 建筑工种考场一体机."""
    ctx.obj = Context(config_file)


@main.command()
@click.argument("name")
@click.pass_obj
def service(context: Context, name: str) -> None:
    """Run one service here: camera@NAME, checkin, web or uplink."""
    from edge.services.entry import run_service

    run_service(context.config(), name)


@main.command()
@click.option("--logs", type=click.Path(path_type=Path, file_okay=False), help="A folder for one log a service.")
@click.pass_obj
def run(context: Context, logs: Path | None) -> None:
    """Run every service on a desk, each a process, restarted when it dies."""
    from edge.services.supervisor import Supervisor

    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: stop.set())
    config = context.config()
    web = config.web
    _need_port(web.host, web.port)
    pages = "exam 考试 · /kiosk/ 签到 · /console/ 监考 · /scoring/ 考评 · /spotcheck/ 抽查"
    click.echo(f"http://{web.host}:{web.port}/  {pages}")
    Supervisor(config, context.config_file, logs).run(stop, lambda name, what: click.echo(f"{name}: {what}"))


def _need_port(host: str, port: int) -> None:
    """Unavailable while something answers there: a second room over the same files would do everything twice."""
    try:
        socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET).close()
    except OSError as error:
        raise Unavailable("port_taken", host=host, port=port, detail=why(error)) from error


if __name__ == "__main__":
    main()
