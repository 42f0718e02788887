"""The demo's clip: quick to make, always the same, and a detector sees who is said to stand there."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import _dlib_pybind11 as dlib
import av
import pytest

from edge.demo import clip
from edge.errors import Unavailable


@pytest.mark.long
def test_faces_are_where_the_sections_say(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    told = list[tuple[int, int]]()
    sections = clip.build_clip(path, lambda done, total: told.append((done, total)))
    assert told[-1] == (600, 600)
    assert json.loads((tmp_path / "clip.json").read_text())["sections"] == sections
    assert [s["who"] for s in sections] == ["nobody", "hopper", "nobody", "astronaut", "nobody"]
    detector = dlib.get_frontal_face_detector()
    keys, checked = 0, 0
    with av.open(str(path), "r") as container:
        for frame in container.decode(video=0):
            keys += frame.key_frame
            at = round(frame.time * 1000)
            section = next((s for s in sections if s["from_ms"] <= at < s["until_ms"]), None)  # type: ignore[operator]
            if section is None or at % 800 != 0:
                continue
            small = frame.reformat(width=640, height=360, format="rgb24").to_ndarray()
            faces = detector(small, 0)
            checked += 1
            if section["who"] == "nobody":
                assert len(faces) == 0, at
            else:
                assert len(faces) == 1, at
                assert faces[0].height() >= 110
    assert keys == 40
    assert checked > 30


def test_the_same_pictures_each_time() -> None:
    one, other = clip._Scene(), clip._Scene()
    for n in (0, 80, 150, 400, 599):
        assert (one.picture(n) == other.picture(n)).all()


def test_somebody_may_stand_there_at_another_rate() -> None:
    whole = clip._Scene()
    pictures = list(itertools.islice(clip.standing(clip.ASTRONAUT, 2 * clip.FPS), 5))
    assert (pictures[4] == whole.picture(4, 26 + 2 / clip.FPS)).all()
    assert (pictures[0] == whole.picture(0, 26.0)).all() and (pictures[0] != pictures[4]).any()


def test_without_the_portraits_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clip, "find_spec", lambda _: None)
    with pytest.raises(Unavailable) as caught:
        clip.portrait_file(clip.HOPPER)
    assert "matplotlib" in caught.value.sentence("en")
