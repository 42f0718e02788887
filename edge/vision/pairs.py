"""Lists of picture pairs in the format of LFW's `pairs.txt`, and folds of them that share no person.

The first line is `FOLDS<TAB>N` or `N`: each fold has N lines of the same person and N of different people. A line
`NAME I J` names two pictures of one person, `NAME1 I NAME2 J` of two. The picture NAME I is DIR/NAME/NAME_000I.jpg.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edge.errors import BadInput

MOST_PROBLEMS = 20
DEFAULT_FOLDS = 10
KINDS = {".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".pgm", ".ppm"}

Image = tuple[str, int]
"""A person's name and the picture's number."""


@dataclass(frozen=True)
class Pair:
    first: Image
    second: Image

    @property
    def same(self) -> bool:
        return self.first[0] == self.second[0]


@dataclass(frozen=True)
class Pairs:
    """The pairs in the file's order. `folds` and `each` as its first line says, None where it does not."""

    pairs: list[Pair]
    folds: int | None
    each: int | None


def read_pairs(path: Path) -> Pairs:
    """The file's pairs. BadInput (`pairs_invalid`) with a sentence for each line that cannot be one."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput("pairs_unreadable", path=path, detail=getattr(error, "strerror", None) or error) from error
    lines = [(number, line.rstrip().lstrip("\r ")) for number, line in enumerate(text.split("\n"), start=1)]
    lines = [(number, line) for number, line in lines if line.strip()]
    folds = each = None
    if lines and len(_fields(lines[0][1])) <= 2 and all(_number(field) for field in _fields(lines[0][1])):
        header = [int(field) for field in _fields(lines.pop(0)[1])]
        folds, each = header if len(header) == 2 else (None, header[0])
    pairs, problems = [], []
    for number, line in lines:
        try:
            pairs.append(_pair(_fields(line)))
        except ValueError as error:
            problems.append(f"{number}: {error}")
    if not pairs and not problems:
        problems = ["1: 没有图片对 / no pairs"]
    if problems:
        more = len(problems) - MOST_PROBLEMS
        shown = problems[:MOST_PROBLEMS] + ([f"… 还有 {more} 行 / {more} more lines"] if more > 0 else [])
        raise BadInput("pairs_invalid", path=path, count=len(problems), lines="\n".join(shown))
    return Pairs(pairs, folds, each)


def _fields(line: str) -> list[str]:
    """By tabs, since a name may have spaces in it; by spaces where there is no tab."""
    return [field.strip() for field in line.split("\t")] if "\t" in line else line.split()


def _number(field: str) -> int:
    """0 for what is no picture's number."""
    return int(field) if field.isascii() and field.isdigit() and len(field) <= 6 else 0


def _pair(fields: list[str]) -> Pair:
    if len(fields) == 3:
        fields = [fields[0], fields[1], fields[0], fields[2]]
    elif len(fields) != 4:
        raise ValueError(f"{len(fields)} 项，应为 3 或 4 项 / {len(fields)} fields where 3 or 4 belong")
    for name in (fields[0], fields[2]):
        if not name or name in (".", "..") or "/" in name or "\\" in name or not name.isprintable():
            raise ValueError(f"不是人名 / not a person's name: {name[:40]!r}")
    for field in (fields[1], fields[3]):
        if not _number(field):
            raise ValueError(f"不是图片编号（1 起）/ not a picture's number, from 1 on: {field[:40]!r}")
    return Pair((fields[0], int(fields[1])), (fields[2], int(fields[3])))


class Pictures:
    """The files under a folder, found by person and number. Each folder is listed once."""

    def __init__(self, folder: Path) -> None:
        self._folders = [folder]
        inner = [path for path in _listed(folder) if path.is_dir() and not path.name.startswith((".", "__"))]
        if len(inner) == 1:  # an archive's own folder within the one it was unpacked to
            self._folders.append(inner[0])
        self._known: dict[Path, dict[str, Path]] = {}

    def find(self, image: Image) -> Path | None:
        """NAME/NAME_0001.jpg, also NAME/0001.jpg or NAME_0001.jpg, with fewer zeros or another usual ending."""
        name, number = image
        stems = [f"{name}_{number:04d}", *(f"{name}_{number:0{width}d}" for width in (1, 2, 3, 5, 6))]
        bare = [f"{number:0{width}d}" for width in (4, 1, 2, 3, 5, 6)]
        places = [place for top in self._folders for place in ((top / name, [*stems, *bare]), (top, stems))]
        for folder, wanted in places:
            if folder not in self._known:
                files = [path for path in reversed(_listed(folder)) if path.suffix.lower() in KINDS]
                self._known[folder] = {path.stem: path for path in files}
            here = self._known[folder]
            if (stem := next((stem for stem in wanted if stem in here), None)) is not None:
                return here[stem]
        return None


def _listed(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []


def person_folds(found: Pairs) -> tuple[dict[str, int], bool]:
    """A fold for each person, and whether they are the file's own.

    The file's are taken where its pairs are as many as its first line says and no person is in two of them; else
    people who meet in pairs stay together as far as that leaves several folds of about one size.
    """
    own = _own_folds(found)
    if own is not None:
        return own, True
    count = found.folds if found.folds is not None and 3 <= found.folds <= 100 else DEFAULT_FOLDS
    weight: dict[str, int] = {}
    for pair in found.pairs:
        for name in (pair.first[0], pair.second[0]):
            weight[name] = weight.get(name, 0) + 1
    groups = _together(found)
    if max(len(group) for group in groups) > len(weight) / 3:
        groups = [[name] for name in weight]
    sizes = [0] * min(count, len(groups))
    folds: dict[str, int] = {}
    for group in sorted(groups, key=lambda group: -sum(weight[name] for name in group)):
        fold = sizes.index(min(sizes))
        sizes[fold] += sum(weight[name] for name in group)
        folds |= dict.fromkeys(group, fold)
    return folds, False


def _own_folds(found: Pairs) -> dict[str, int] | None:
    if found.folds is None or found.each is None or found.folds < 2:
        return None
    if len(found.pairs) != 2 * found.folds * found.each:
        return None
    folds: dict[str, int] = {}
    for place, pair in enumerate(found.pairs):
        fold = place // (2 * found.each)
        for name in (pair.first[0], pair.second[0]):
            if folds.setdefault(name, fold) != fold:
                return None
    return folds


def _together(found: Pairs) -> list[list[str]]:
    """The people in groups that no pair connects."""
    parent: dict[str, str] = {}

    def root(name: str) -> str:
        parent.setdefault(name, name)
        while parent[name] != name:
            parent[name] = parent[parent[name]]
            name = parent[name]
        return name

    for pair in found.pairs:
        parent[root(pair.first[0])] = root(pair.second[0])
    groups: dict[str, list[str]] = {}
    for name in parent:
        groups.setdefault(root(name), []).append(name)
    return list(groups.values())
