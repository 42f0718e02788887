from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from edge.domain.liveness import ChallengeLimits
from edge.errors import ConfigError, ExamroomError, NotFound, Unavailable, VerificationFailed
from edge.vision import packs
from edge.vision.manifest import known_packs, manifest_root, read_manifest

NAME = f"dlib-{read_manifest('dlib').version}"


@pytest.fixture
def copy(models_dir: Path, tmp_path: Path) -> Path:
    """A models directory of one's own to damage, with the default pack."""
    shutil.copytree(models_dir / NAME, tmp_path / "models" / NAME)
    return tmp_path / "models"


@pytest.fixture
def manifests(tmp_path: Path) -> Path:
    return Path(shutil.copytree(manifest_root(), tmp_path / "manifests"))


def visible(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name != packs.LOCK)


def test_installing_is_told_and_repeating_changes_nothing(tmp_path: Path) -> None:
    told: list[tuple[float, str]] = []
    path = packs.install("dlib", tmp_path / "new" / "models", lambda share, words: told.append((share, words)))
    shares = [share for share, _ in told]
    assert shares == sorted(shares) and shares[0] == 0.0 and shares[-1] == 1.0
    assert len({words for _, words in told}) == len(told)
    assert visible(path.parent) == [NAME]
    before = {file.name: file.stat().st_mtime_ns for file in path.iterdir()}
    told.clear()
    assert packs.install("dlib", path.parent, lambda share, words: told.append((share, words))) == path
    assert {file.name: file.stat().st_mtime_ns for file in path.iterdir()} == before
    assert [share for share, _ in told] == [1.0]


def test_the_list_names_version_and_place(copy: Path) -> None:
    (found,) = packs.installed(copy)
    assert (found.name, found.version, found.path, found.current) == ("dlib", NAME[5:], copy / NAME, True)
    record = json.loads((copy / NAME / packs.RECORD).read_text())
    record["version"] = "0123456789ab"
    (copy / "dlib-0123456789ab").mkdir()
    (copy / "dlib-0123456789ab" / packs.RECORD).write_text(json.dumps(record))
    (copy / "junk").mkdir()
    (copy / "junk" / packs.RECORD).write_text("[]")
    assert [(one.version, one.current) for one in packs.installed(copy)] == [("0123456789ab", False), (NAME[5:], True)]
    assert packs.installed(copy / "nowhere") == []


@pytest.mark.parametrize("file", [packs.EMBEDDER, packs.LANDMARKS, packs.RECORD])
def test_a_damaged_pack_does_not_load_and_installing_mends_it(copy: Path, file: str) -> None:
    target = copy / NAME / file
    data = target.read_bytes()
    flipped = bytearray(data)
    # in the record, the byte lies in a file's hash
    flipped[data.find(b'"embedder.onnx": "') + 20 if file == packs.RECORD else len(data) // 2] ^= 1
    for damaged in (bytes(flipped), data[: len(data) // 2], None):
        if damaged is None:
            target.unlink()
        else:
            target.write_bytes(damaged)
        with pytest.raises(Unavailable) as refusal:
            packs.load("dlib", copy)
        assert refusal.value.code == "pack_damaged"
    packs.install("dlib", copy)
    assert visible(copy) == [NAME]
    assert packs.load("dlib", copy).version == NAME[5:]


def test_what_a_killed_installation_left_is_cleared(copy: Path) -> None:
    (copy / NAME).rename(copy / f".{NAME}.part")
    (copy / f".{NAME}.part" / "more").mkdir()
    assert packs.installed(copy) == []
    packs.install("dlib", copy)
    assert visible(copy) == [NAME]


def test_two_installations_at_once_take_turns(tmp_path: Path) -> None:
    found: list[Path | ExamroomError] = []

    def run() -> None:
        try:
            found.append(packs.install("dlib", tmp_path))
        except ExamroomError as error:
            found.append(error)

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [tmp_path / NAME] * 2
    assert visible(tmp_path) == [NAME]


def test_a_pack_that_is_not_installed_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="examroom faces install dlib"):
        packs.load("dlib", tmp_path)


@pytest.mark.parametrize("name", ["nobody", "", "..", "dlib/../dlib", "/etc"])
def test_an_unknown_pack_is_refused(tmp_path: Path, name: str) -> None:
    for act in (packs.install, packs.load):
        with pytest.raises(NotFound) as refusal:
            act(name, tmp_path)
        assert refusal.value.code == "pack_unknown" and "dlib" in str(refusal.value)
    assert list(tmp_path.iterdir()) == []


def edit(root: Path, old: str, new: str) -> None:
    path = root / "dlib" / "manifest.toml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_another_weights_file_is_not_installed(manifests: Path, tmp_path: Path) -> None:
    edit(manifests, "55533b28", "55533b29")
    with pytest.raises(VerificationFailed) as refusal:
        packs.install("dlib", tmp_path / "models", root=manifests)
    assert refusal.value.code == "pack_source_differs"
    assert visible(tmp_path / "models") == []


def test_a_missing_package_or_file_is_named(manifests: Path, tmp_path: Path) -> None:
    edit(manifests, "models/shape_predictor_5", "models/shape_predictor_6")
    with pytest.raises(Unavailable, match="shape_predictor_6"):
        packs.install("dlib", tmp_path / "models", root=manifests)
    edit(manifests, '"face_recognition_models"', '"no_such_package"')
    with pytest.raises(Unavailable, match="no_such_package"):
        packs.install("dlib", tmp_path / "models", root=manifests)
    assert visible(tmp_path / "models") == []


def test_a_place_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "models").write_text("a file")
    with pytest.raises(Unavailable) as refusal:
        packs.install("dlib", tmp_path / "models")
    assert refusal.value.code == "pack_unwritable"


def test_a_room_is_stricter_than_its_pack_and_never_looser(models_dir: Path) -> None:
    own = packs.load("dlib", models_dir)
    strict = packs.load("dlib", models_dir, accept_at_most=0.42)
    loose = packs.load("dlib", models_dir, accept_at_most=0.59)
    assert own.search is not None and strict.search is not None
    assert (strict.threshold.accept, strict.threshold.refuse) == (0.42, own.threshold.refuse)
    assert strict.search.accept == 0.42 < own.search.accept and strict.search.within(2000) == own.search.within(2000)
    assert (loose.threshold, loose.search) == (own.threshold, own.search)


def test_the_version_follows_weights_and_revision(manifests: Path) -> None:
    versions = {read_manifest("dlib", manifests).version}
    for old, new in (("55533b28", "55533b29"), ("c4b1e980", "c4b1e981"), ("revision = 1", "revision = 2")):
        edit(manifests, old, new)
        versions.add(read_manifest("dlib", manifests).version)
    assert len(versions) == 4
    edit(manifests, "accept = 0.50", "accept = 0.49")
    edit(manifests, "turn = 22", "turn = 25")
    assert read_manifest("dlib", manifests).version in versions


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("accept = 0.50", "accept = 0.61"),
        ("accept = 0.50", "accept = nan"),
        ("accept = 0.50", "accept = 0"),
        ("refuse = 0.60", ""),
        ("light = [25, 225]", "light = [225, 25]"),
        ("yaw = 28.8", "yaw = 280"),
        ("rest = 12", "rest = 22"),
        ("rest = 12", "rest = 0"),
        ("turn = 22", "turn = 90"),
        ("nearer = 1.25", "nearer = 1"),
        ("[challenge]", "[challenge"),
        ("[quality]", "[quality"),
        ('kind = "dlib"', 'kind = "other"'),
        ('name = "dlib"', 'name = "else"'),
        ("[threshold]", "[threshold"),
        ('role = "landmarks"', 'role = "embedder"'),
        ("models/dlib_face", "../dlib_face"),
        ("models/dlib_face", "/models/dlib_face"),
        ("revision = 1", "revision = 1\nspelt_wrong = 2"),
        ('package = "face_recognition_models"', 'url = "https://example.org/x"'),
        ("[calibration]", "[liveness]"),
        ("fmr = 0.0", "fmr = 1.5"),
        ("size = 22466066", ""),
    ],
)
def test_a_wrong_manifest_is_refused(manifests: Path, tmp_path: Path, old: str, new: str) -> None:
    edit(manifests, old, new)
    with pytest.raises(ConfigError) as refusal:
        packs.install("dlib", tmp_path / "models", root=manifests)
    assert refusal.value.code == "pack_manifest" and refusal.value.exit_code == 2
    assert not (tmp_path / "models").exists()


def test_a_wrong_challenge_is_told_and_the_manifests_limits_are_the_packs(models_dir: Path, manifests: Path) -> None:
    edit(manifests, "turn = 22", "turn = 30.5")
    assert packs.load("dlib", models_dir, root=manifests).challenge == ChallengeLimits(12, 30.5, 1.25)
    edit(manifests, "rest = 12", "rest = 40")
    with pytest.raises(ConfigError, match="rest must be below turn"):
        read_manifest("dlib", manifests)
    table = (manifest_root() / "dlib" / "manifest.toml").read_text().partition("[challenge]")[2].partition("[[")[0]
    file = manifests / "liveness" / "manifest.toml"
    file.write_text(file.read_text().replace("[[source]]", f"[challenge]{table}[[source]]", 1))
    with pytest.raises(ConfigError, match=r"\[challenge\] belongs"):
        read_manifest("liveness", manifests)


def test_every_pack_has_a_manifest_and_a_card() -> None:
    assert "dlib" in known_packs()
    for name in known_packs():
        manifest = read_manifest(name)
        card = (manifest_root() / name / "CARD.md").read_text(encoding="utf-8")
        for source in manifest.source:
            assert source.sha256 is not None and source.sha256 in card
        limits = manifest.threshold or manifest.liveness
        assert limits is not None
        for limit in limits.model_dump(exclude={"measured_on"}).values():
            assert f"**{limit:g}**" in card
        assert (manifest.challenge is not None) is manifest.compares
        if manifest.challenge is not None:
            moved = manifest.challenge
            assert all(f"**{limit:g}**" in card for limit in (moved.rest, moved.turn, moved.nearer))
            assert "not calibrated" in card and moved.measured_on.startswith("Not calibrated")
        assert manifest.licence in card
        if manifest.calibration is not None:
            found = manifest.calibration
            assert f"of {found.comparisons} comparisons" in card and f"{found.people} people" in card
            assert f"{100 * found.fmr_at_most:g} %" in card
        assert ("untested" in card) is manifest.untested


def test_loading_a_pack_needs_no_onnx_and_no_source_package(models_dir: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from edge.vision import packs; packs.load('dlib', Path(sys.argv[1]));"
        "print([name for name in ('onnx', 'face_recognition_models', 'av', 'flask') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code, models_dir], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
