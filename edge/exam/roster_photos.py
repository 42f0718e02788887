"""ID photographs for a roster: out of a zip, or files beside it; whose each is, and everything that is wrong with them.

A file in the zip is somebody's by the roster's column 照片文件, or by a document number, badge or candidate number in
its name. A short number has to be the whole name, or to stand beside its person's own: cameras and telephones count
their pictures too. Nothing is unpacked to disk.
"""

from __future__ import annotations

import hashlib
import re
import stat
import unicodedata
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from edge.domain import idcards
from edge.domain.reasons import words
from edge.errors import BadInput
from edge.exam.documents import PHOTO_LIMIT
from edge.exam.roster_problems import Problems

FILES = 6000
TOTAL = 400_000_000
ARCHIVE = 500_000_000
RATIO = 200
"""No photograph packs smaller than that: it is compressed already."""
_UTF8 = 0x800
_LOCKED = 0x1
_NOISE = ("thumbs.db", "desktop.ini", ".ds_store")
_SHOWN = 80
_SHORT = re.compile(r"[0-9]{1,6}|(19|20)[0-9]{2}(0[1-9]|1[0-2])([0-2][0-9]|3[01])")
"""What may be a camera's counter, time or day, though it is somebody's number or badge as well."""
_WORD = r"[0-9A-Za-z\uff10-\uff5a]+"
"""A document number may have been typed with a wide X."""

Judge = Callable[[bytes], tuple[str, ...]]
"""The reason codes of what keeps a picture from being enrolled; empty when it is fit."""
_SAID = {
    "picture_invalid": "photo_not_picture",
    "face_none": "photo_face_none",
    "face_several": "photo_face_several",
    "face_too_small": "photo_face_too_small",
    "face_blurred": "photo_face_blurred",
    "face_dark": "photo_face_dark",
    "face_bright": "photo_face_bright",
    "face_turned": "photo_face_turned",
}


@dataclass(frozen=True)
class Wanted:
    """A candidate of the roster, as photographs are matched to them. `file`: what the roster names, if it does."""

    number: int
    name: str
    document: str
    badge: str | None
    row: int
    place: str
    file: str
    declined: bool
    minor: bool


def read_archive(path: Path, problems: Problems) -> dict[str, bytes]:
    """Every picture of a zip by its name inside; what is not read is a problem by its name. BadInput for no zip."""
    found: dict[str, bytes] = {}
    total = 0
    try:
        if path.stat().st_size > ARCHIVE:
            raise BadInput("roster_broken", where=path.name, detail=words("check_above", most=ARCHIVE // 1_000_000))
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            if len(members) > FILES:
                problems.add(path.name, "photos_many", {"most": FILES})
                return {}
            for member in members:
                name = _name(member)
                if member.is_dir() or _is_noise(name):
                    continue
                if (code := _unsafe(member, name)) is not None:
                    problems.add(name[:_SHOWN], code)
                    continue
                try:
                    with archive.open(member) as stream:
                        data = stream.read(PHOTO_LIMIT + 1)
                except Exception:  # each way of packing has errors of its own, and the names may be damaged too
                    problems.add(name[:_SHOWN], "photos_member_broken")
                    continue
                total += len(data)
                if total > TOTAL:
                    problems.add(path.name, "photo_total", {"most": TOTAL // 1_000_000})
                    return {}
                if len(data) > PHOTO_LIMIT:
                    problems.add(name[:_SHOWN], "photo_large")
                    continue
                if name in found:
                    problems.add(name[:_SHOWN], "photo_name_twice")
                    continue
                found[name] = data
    except BadInput:
        raise
    except Exception as error:  # a broken zip fails in more ways than the module has names for
        raise BadInput("photos_unreadable", file=path.name) from error
    return found


def _name(member: zipfile.ZipInfo) -> str:
    """Its name in the archive; without the mark of UTF-8 it was written in the code page of the Windows it is from."""
    if member.flag_bits & _UTF8:
        return member.filename
    raw = member.orig_filename.encode("cp437", "replace")
    for encoding in ("utf-8", "gb18030"):
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    return member.filename


def _is_noise(name: str) -> bool:
    parts = PurePosixPath(name.replace("\\", "/")).parts
    return "__MACOSX" in parts or (bool(parts) and (parts[-1].lower() in _NOISE or parts[-1].startswith("._")))


def _unsafe(member: zipfile.ZipInfo, name: str) -> str | None:
    parts = name.replace("\\", "/").split("/")
    tricks = ".." in parts or parts[0] == "" or ":" in parts[0] or "\0" in member.orig_filename
    if tricks or not name.isprintable() or stat.S_ISLNK(member.external_attr >> 16):
        return "photos_member_path"
    if member.flag_bits & _LOCKED:
        return "photos_member_locked"
    if member.file_size > 1_000_000 and member.file_size > RATIO * max(1, member.compress_size):
        return "photos_member_bomb"
    return "photo_large" if member.file_size > PHOTO_LIMIT else None


def match(people: list[Wanted], pictures: Mapping[str, bytes], needed: bool, problems: Problems) -> dict[int, str]:
    """Whose photograph is which: candidate number -> name in `pictures`. `needed`: everybody not declining has one."""
    files: dict[int, list[str]] = {}
    by_name = _by_name(pictures)
    named: set[str] = set()
    for one in people:
        if not one.file:
            continue
        hits = by_name.get(_folded(one.file), [])
        if len(hits) != 1:
            code = "photo_named_missing" if not hits else "photo_name_twice"
            problems.add(one.place, code, {"file": one.file[:_SHOWN]}, row=one.row)
            named.update(hits)
            continue
        named.add(hits[0])
        files.setdefault(one.number, []).append(hits[0])
    keys = _keys(people)
    for name in pictures:
        if name in named:
            continue
        owners, loose = _owners(name, keys, people)
        if not owners:
            problems.add(name[:_SHOWN], "photo_number_loose" if loose else "photo_nobody")
        elif len(owners) > 1:
            rows = ", ".join(str(one.row) for one in sorted(owners, key=lambda one: one.row))
            problems.add(name[:_SHOWN], "photo_ambiguous", {"rows": rows})
        else:
            files.setdefault(owners[0].number, []).append(name)
    matched: dict[int, str] = {}
    for one in people:
        mine = files.get(one.number, [])
        if len(mine) > 1:
            problems.add(one.place, "photo_twice", {"files": ", ".join(mine)[:200]}, row=one.row)
        elif mine and (one.declined or one.minor):
            if not one.minor:  # told by its consent
                problems.add(one.place, "photo_declined", severity="warning", row=one.row)
        elif mine:
            matched[one.number] = mine[0]
        elif not one.file and not one.declined and not one.minor:
            problems.add(one.place, "photo_missing", severity="error" if needed else "warning", row=one.row)
    _need_different(people, matched, pictures, problems)
    return matched


def _need_different(
    people: list[Wanted], matched: Mapping[int, str], pictures: Mapping[str, bytes], problems: Problems
) -> None:
    seen: dict[str, Wanted] = {}
    for one in people:
        if one.number in matched:
            digest = hashlib.sha256(pictures[matched[one.number]]).hexdigest()
            if digest in seen:
                problems.add(one.place, "photo_same", {"other": seen[digest].row}, row=one.row)
            seen.setdefault(digest, one)


def _by_name(pictures: Mapping[str, bytes]) -> dict[str, list[str]]:
    """By the whole name inside, and by its last part."""
    found: dict[str, list[str]] = {}
    for name in pictures:
        for key in {_folded(name), _folded(name.replace("\\", "/").rpartition("/")[2])}:
            found.setdefault(key, []).append(name)
    return found


def _folded(name: str) -> str:
    return composed(name).strip().replace("\\", "/").casefold()


def composed(name: str) -> str:
    """With each accent in its letter: a Mac writes it as a character of its own, others do not."""
    return unicodedata.normalize("NFC", name)


def _keys(people: list[Wanted]) -> dict[str, set[int]]:
    """What may stand in a file's name -> places in `people`."""
    keys: dict[str, set[int]] = {}
    for at, one in enumerate(people):
        for key in (one.document, one.badge, f"#{one.number}"):
            if key:
                keys.setdefault(key, set()).add(at)
    return keys


def _owners(name: str, keys: Mapping[str, set[int]], people: list[Wanted]) -> tuple[list[Wanted], bool]:
    """Everybody a file's name speaks of: by number, document or badge, and among these by a name if it has one; and
    whether a number stands there that may be a camera's.

    A candidate number may be any small number, so it counts where no document or long badge stands there. What speaks
    of two people is not guessed between: 0001 may be one's badge and another's number.
    """
    stem = composed(PurePosixPath(name.replace("\\", "/")).stem.strip())
    # letters and digits, with what is Chinese between them
    words = [idcards.tidy(word) for word in re.findall(_WORD, stem)]
    found = {at for word in words if not _SHORT.fullmatch(word) for at in keys.get(word, ())}
    numbered = {at for word in words if _SHORT.fullmatch(word) for at in keys.get(word, ())}
    if not found:
        small = (int(word) for word in words if re.fullmatch(r"[0-9]{1,6}", word))
        numbered |= {at for number in small for at in keys.get(f"#{number}", ())}
    if found or re.fullmatch(_WORD, stem):
        found |= numbered
    else:
        found = {at for at in numbered if _says(stem, people[at].name)}
    written = set(re.findall(r"[\u3400-\u9fff·]{2,}", stem))
    called: set[int] = set()
    if written and found | numbered:
        called = {at for at, one in enumerate(people) if composed(one.name) in written}
    if called and not called & found:
        found |= called | numbered
    return [people[at] for at in found], bool(numbered)


def _says(stem: str, name: str) -> bool:
    """Whether a person's whole name, and no part of a longer one, stands in a file's, however it is divided there."""
    wanted = "".join(_runs(name))
    runs, at, edges = _runs(stem), 0, {0}
    for run in runs:
        at += len(run)
        edges.add(at)
    text, start = "".join(runs), -1
    while wanted and (start := text.find(wanted, start + 1)) >= 0:
        if start in edges and start + len(wanted) in edges:
            return True
    return False


def _runs(text: str) -> list[str]:
    """What is letters, and what is digits, one after the other."""
    return re.findall(r"[^\W\d_]+|\d+", unicodedata.normalize("NFKC", text).casefold())


def judged(
    people: list[Wanted],
    matched: Mapping[int, str],
    pictures: Mapping[str, bytes],
    judge: Judge,
    problems: Problems,
    step: Callable[[int, int], None] = lambda _done, _total: None,
) -> None:
    """Look at every matched photograph; what is wrong is told by its row. `step(done, total)` as it goes."""
    wanted = [one for one in people if one.number in matched]
    for done, one in enumerate(wanted, start=1):
        for code in judge(pictures[matched[one.number]])[:1]:
            told = {"file": matched[one.number][:_SHOWN]}
            problems.add(one.place, _SAID.get(code, "photo_face_unfit"), told, row=one.row)
        step(done, len(wanted))
