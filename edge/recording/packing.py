"""Writing an evidence file: its members in their order, each checked against what was recorded as it goes in."""

from __future__ import annotations

import hashlib
import logging
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from typing import BinaryIO

from edge import clock
from edge.domain.canonical import canonical
from edge.domain.footage import Fragment
from edge.errors import Conflict, Unavailable, VerificationFailed
from edge.recording import editlist
from edge.recording.editlist import Untrimmable
from edge.recording.files import open_footage, sync_folder
from edge.store.reserve import free_bytes
from edge.store.segments import Segment
from edge.trust import dsse
from edge.trust import evidence_format as form
from edge.trust.container import LOCAL_MARK, NAME_AT, ContainerWriter
from edge.trust.enrolment import Identity
from edge.trust.evidence_format import FragmentFact, FragmentTable, InitFact, Manifest, MemberFact
from edge.why import why

_log = logging.getLogger(__name__)
_PART = re.compile(r"\..+\.([0-9a-f]{8})-([0-9a-f]{8})-([0-9]+)\.part")
_MACHINE_ID = Path("/etc/machine-id")
MB = 1_000_000
FLUSHED_EVERY = 16 * MB
"""So little of an export waits for the disk at a time that no fragment being recorded waits long behind it."""
Told = Callable[[int, int], None]
"""Called with the bytes written and their total, now and then; what it raises ends the export."""

_README = """\
证据文件 / Evidence file

考场 / room:        {room} ({epoch})
摄像头 / camera:    {camera}
时间段 / span (UTC): {since} - {until}
导出 / exported:    {made}

video 文件夹里是考场录下的原始录像，可直接播放。view 文件夹里（如有）是同一录像，开头和结尾正好是所要的时间，
首尾各一个文件，中间的整段请看 video。其余文件用来证明录像和台账未被改动。
核验不需要联网，只需要省级（或机构）的根公钥：

    examroom verify 本文件.zip --root 根公钥

没有这个命令的电脑（如 Windows）：用浏览器打开省级或考场发给您的核验网页（一个 HTML 文件），选择本文件即可。
请勿解压后重新打包：改动任何一个字节，核验都会指出是哪一部分、录像的第几秒。
本文件含个人信息，请按用途保管，用完即删。

The folder video holds the footage as the room recorded it; it plays as it is. The folder view, where there is one,
holds the same footage cut to the very span: a file where it begins and one where it ends; what lies between is in
video. The other files prove that footage and ledger are unaltered. To verify, offline, with the public key of the
province (or institution) alone:

    examroom verify THIS.zip --root ROOT.pub

Where there is no such command, as on Windows: open the verifier page that the province or the room gave you (one HTML
file) in a browser, and choose this file.
Do not unpack and repack: whichever byte is changed, the check names the part, and the second of the footage.
This file holds personal data: keep it for its purpose only, then delete it.
"""


@dataclass(frozen=True)
class Chosen:
    """One segment and those of its fragments that go into the file; [from_ms, until_ms) is what was asked."""

    segment: Segment
    fragments: tuple[Fragment, ...]
    from_ms: int
    until_ms: int

    @property
    def bytes(self) -> int:
        return self.segment.init_length + sum(f.length for f in self.fragments)

    @property
    def sticks_out(self) -> bool:
        """Whether its whole fragments are more than was asked, so that a view of them tells where that is."""
        return self.fragments[0].wall_ms < self.from_ms or self.fragments[-1].ended_ms > self.until_ms


@dataclass(frozen=True)
class Output:
    """The new file, what its disk must keep free, and whether the span is shown cut to the picture beside it."""

    path: Path
    views: bool
    reserve: int
    told: Told

    def size_of(self, chosen: Sequence[Chosen]) -> int:
        return sum(c.bytes * (2 if self.views and c.sticks_out else 1) for c in chosen)

    def need_room(self, more: int) -> None:
        """Conflict (`export_no_room`) unless `more` bytes fit beside the reserve."""
        free = free_bytes(self.path.parent)
        if free < more + self.reserve:
            facts = {"needed": -(-more // MB), "free": free // MB, "reserve": self.reserve // MB}
            raise Conflict("export_no_room", **facts)


def write_file(
    out: Output,
    manifest: Manifest,
    identity: Identity,
    chosen: Sequence[Chosen],
    recordings: Path,
    rest: dict[str, bytes],
) -> None:
    """Write beside `out`, put it on disk, then give it its name; on any error nothing is left, and what a process that
    was killed has left in this folder goes."""
    path = out.path
    part = path.with_name(f".{path.name}.{_machine()}-{clock.boot_id()[:8]}-{os.getpid()}.part")
    _sweep(path.parent)
    try:
        with part.open("xb") as file:
            _write(file, out, manifest, identity, chosen, recordings, rest)
            file.flush()
            os.fsync(file.fileno())
        part.rename(path)
        sync_folder(path.parent)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise Unavailable("evidence_unwritable", path=path, detail=why(error)) from error
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def _machine() -> str:
    """Eight hex digits of this machine's: a folder may be shared, and another's processes are not seen from here."""
    try:
        machine = _MACHINE_ID.read_text(encoding="ascii").strip()
    except (OSError, UnicodeError):
        machine = ""
    return hashlib.sha256(b"evidence\n" + (machine or clock.boot_id()).encode()).hexdigest()[:8]


def _is_gone(machine: str, boot: str, process: str) -> bool:
    """Whether that process was one of this machine's, and has ended."""
    ended = boot != clock.boot_id()[:8] or not Path("/proc", process).exists()
    return machine == _machine() and ended


def _sweep(folder: Path) -> None:
    """Remove evidence half written by processes of this machine that are gone. Whatever else is called so stays."""
    with suppress(OSError):
        for part in folder.glob(".*.part"):
            named = _PART.fullmatch(part.name)
            if named and _is_gone(*named.groups()):
                with part.open("rb") as file:
                    head = file.read(NAME_AT + len(form.README))
                if head.startswith(LOCAL_MARK) and head.endswith(form.README.encode()):
                    part.unlink()


def _write(
    file: BinaryIO,
    out: Output,
    manifest: Manifest,
    identity: Identity,
    chosen: Sequence[Chosen],
    recordings: Path,
    rest: dict[str, bytes],
) -> None:
    box = ContainerWriter(file)
    members: list[MemberFact] = []
    written = _Written(file, out, out.size_of(chosen))

    def add(name: str, chunks: Iterable[bytes]) -> None:
        digest = hashlib.sha256()
        member = box.add(name, written.counted(chunks, digest.update))
        members.append(MemberFact(name=name, size=member.size, sha256=digest.hexdigest()))

    add(form.README, [_readme(manifest)])
    add(form.CERTIFICATE, [identity.envelope])
    for one in chosen:
        add(form.index_name(one.segment.id), [canonical(_table(one.segment).model_dump())])
        add(form.video_name(one.segment.id), _video(recordings, one))
        if out.views and one.sticks_out and (head := _view_head(recordings, one)) is not None:
            add(form.view_name(one.segment.id), chain([head], _fragments(recordings, one)))
    for name, content in rest.items():
        add(name, [content])
    payload = manifest.model_copy(update={"members": members}).model_dump()
    box.add(form.MANIFEST, [dsse.sign_envelope(dsse.EVIDENCE, payload, [identity.keys.sign])])
    box.finish()


class _Written:
    """How far a file is: told, put on the disk bit by bit, and ended before the disk's reserve is touched."""

    def __init__(self, file: BinaryIO, out: Output, total: int) -> None:
        self._file, self._out, self._total = file, out, total
        self._done = self._flushed = 0

    def counted(self, chunks: Iterable[bytes], update: Callable[[bytes], None]) -> Iterator[bytes]:
        for chunk in chunks:
            update(chunk)
            yield chunk
            self._done += len(chunk)
            if self._done - self._flushed >= FLUSHED_EVERY:
                self._flushed = self._done
                self._file.flush()
                os.fdatasync(self._file.fileno())
                self._out.need_room(0)
            self._out.told(min(self._done, self._total), self._total)


def _video(recordings: Path, chosen: Chosen) -> Iterator[bytes]:
    """Initialisation part and fragments, a fragment at a time, each checked against its recorded hash."""
    segment = chosen.segment
    yield from _read(recordings, segment, [("moov", 0, segment.init_length, segment.init_sha256)])
    yield from _fragments(recordings, chosen)


def _fragments(recordings: Path, chosen: Chosen) -> Iterator[bytes]:
    return _read(recordings, chosen.segment, [(f.n, f.offset, f.length, f.sha256) for f in chosen.fragments])


def _read(recordings: Path, segment: Segment, pieces: Sequence[tuple[int | str, int, int, str]]) -> Iterator[bytes]:
    try:
        with open_footage(recordings / segment.path) as file:
            for n, offset, length, sha256 in pieces:
                file.seek(offset)
                data = file.read(length)
                if hashlib.sha256(data).hexdigest() != sha256:
                    raise VerificationFailed("footage_altered", segment=segment.id, n=n)
                yield data
    except OSError as error:
        raise Unavailable("footage_missing", segment=segment.id) from error


def _view_head(recordings: Path, chosen: Chosen) -> bytes | None:
    """What begins the view; none of footage that our recorder did not write, which is there as it is."""
    first, last = chosen.fragments[0], chosen.fragments[-1]
    try:
        with open_footage(recordings / chosen.segment.path) as file:
            init, moofs = file.read(chosen.segment.init_length), list[tuple[bytes, int]]()
            for fragment in chosen.fragments:
                file.seek(fragment.offset)
                length = int.from_bytes(file.read(4), "big")
                file.seek(fragment.offset)
                moofs.append((file.read(min(length, fragment.length)), fragment.length))
        skip_ms = max(0, chosen.from_ms - first.wall_ms)
        return editlist.view_head(init, moofs, skip_ms, min(chosen.until_ms, last.ended_ms) - last.wall_ms)
    except OSError as error:
        raise Unavailable("footage_missing", segment=chosen.segment.id) from error
    except Untrimmable:
        _log.warning("segment %s is exported without a view of the exact span", chosen.segment.id)
        return None


def _table(segment: Segment) -> FragmentTable:
    return FragmentTable(
        segment=segment.id,
        camera=segment.camera,
        init=InitFact(length=segment.init_length, sha256=segment.init_sha256),
        fragments=[FragmentFact(**{k: v for k, v in asdict(f).items() if k != "key"}) for f in segment.fragments],
    )


def _readme(manifest: Manifest) -> bytes:
    """With a byte order mark and CRLF, so that any Windows shows it right."""
    text = _README.format(
        room=manifest.room,
        epoch=manifest.epoch,
        camera=manifest.camera,
        since=clock.iso(manifest.from_ms),
        until=clock.iso(manifest.until_ms),
        made=clock.iso(manifest.made_ms),
    )
    return text.replace("\n", "\r\n").encode("utf-8-sig")
