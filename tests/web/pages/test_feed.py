"""What a player asks for: runs of fragments, and what becomes of one that cannot be read. Nothing is really played, but
for footage whose pictures come in another order than they are shown."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from edge.clock import Instant, TimeQuality
from edge.domain.footage import Cause
from edge.recording.boxes import read_layout
from edge.recording.writer import Place, SegmentWriter
from support.cameras import FPS, make_rare_packets

# a video and a buffer that hold what they are given; one fragment a second, of which the room cannot read `bad`
PLAY = """async ({ bad, turns }) => {
  const held = [], asked = [];
  let now = 0, last = null;
  performance.now = () => now;
  URL.createObjectURL = () => "media";
  URL.revokeObjectURL = () => {};
  window.MediaSource = class {
    static isTypeSupported() { return true; }
    addEventListener(_name, done) { setTimeout(done); }
    addSourceBuffer() {
      return { appendBuffer() {
        if (last[0] >= 100) for (let n = last[0]; n < last[1]; n += 100) held.push(n / 100 - 1);
        setTimeout(() => this.onupdateend());
      } };
    }
  };
  window.fetch = async (_address, { headers }) => {
    const [from, to] = headers.Range.slice(6).split("-").map(Number);
    last = [from, to + 1];
    const failed = from <= (bad + 1) * 100 && to >= (bad + 1) * 100;
    if (from >= 100) asked.push([from / 100 - 1, (to + 1) / 100 - 1]);
    const head = new Uint8Array(to + 1 - from);
    head.set([0x61, 0x76, 0x63, 0x43, 1, 0x42, 0, 0x1e], 8);
    return { ok: !failed, status: failed ? 404 : 206, arrayBuffer: async () => head.buffer };
  };
  const video = { buffered: { get length() { return held.length; }, start: (n) => held[n], end: (n) => held[n] + 1 },
    currentTime: 0, removeAttribute() {}, load() {} };
  const { createFeed, sequenceOf } = await import("/spotcheck/static/js/feed.js");
  const fragments = [...Array(10)].map((_, n) => [(n + 1) * 100, 100, n * 1000, 1000, 1]);
  const file = { segment: "s", init: 100, started_ms: 0, take: 0, fragments };
  const given = { rows: sequenceOf([file], 0), address: (s) => s, zero: 0, length: 10, trouble() {} };
  const feed = createFeed(...[video, null].slice(0, createFeed.length - 1), given);
  const turn = async (count) => {
    for (let n = 0; n < count; n += 1) {
      const before = held.length;
      feed.want(0, 1);
      for (let waits = 0; waits < 20 && held.length === before; waits += 1) {
        await new Promise((done) => setTimeout(done, 5));
      }
      now += 2500;
    }
  };
  await turn(turns);
  const found = { held: [...held].sort((a, b) => a - b), asked, lost: feed.rows.map((row) => feed.lost(row)) };
  for (let again = 0; again < 4; again += 1) {
    held.length = 0;
    await turn(turns);
  }
  return { ...found, again: held.length };
}"""


def test_of_a_run_that_the_disk_cannot_read_only_what_is_bad_is_lost(page: Page) -> None:
    found = page.evaluate(PLAY, {"bad": 5, "turns": 20})
    assert found["asked"][:2] == [[0, 1], [1, 10]], "the first picture alone, then what follows in one"
    assert found["held"] == [0, 1, 2, 3, 4, 6, 7, 8, 9]
    assert [n for n, lost in enumerate(found["lost"]) if lost] == [5]


def test_what_was_dropped_from_memory_is_fetched_again_however_often(page: Page) -> None:
    found = page.evaluate(PLAY, {"bad": 99, "turns": 4})
    assert found["held"] == list(range(10)) and found["again"] == 10


# real footage on a real screen: what stands over the picture, and what was asked for, moment by moment
LOOK = """async ({ file, data, from, moments }) => {
  const bytes = Uint8Array.from(atob(data), (c) => c.charCodeAt(0)), asked = [];
  const texts = document.createElement("script");
  texts.id = "texts";
  texts.type = "application/json";
  texts.textContent = JSON.stringify({ lang: "en", texts: { zh: {}, en: {} } });
  document.body.append(texts);
  window.fetch = async (_address, { headers }) => {
    const [from, to] = headers.Range.slice(6).split("-").map(Number);
    if (from > 0) asked.push(from);
    return { ok: true, status: 206, arrayBuffer: async () => bytes.slice(from, to + 1).buffer };
  };
  const { createScreen } = await import("/spotcheck/static/js/screen.js");
  const found = [];
  for (const at of moments) {
    asked.length = 0;
    const given = { address: (s) => s, zero: from - 1000, length: 60, why: () => "", trouble() {} };
    const screen = createScreen("door", { list: { files: [{ ...file }] }, ...given });
    document.body.append(screen.element);
    let lag = null;
    for (let turn = 0; turn < 60; turn += 1) {
      lag = screen.follow(at, false, 1);
      await new Promise((done) => setTimeout(done, 25));
    }
    const video = screen.element.querySelector("video");
    const words = screen.element.querySelector(".no-picture");
    found.push({ lag, words: words.hidden ? "" : words.textContent, ready: video.readyState,
      starts: video.buffered.length ? video.buffered.start(0) : -1, twice: asked.length - new Set(asked).size });
    screen.close();
    screen.element.remove();
  }
  return found;
}"""


@pytest.mark.parametrize("gop_s", [1, 3])
def test_pictures_that_come_in_another_order_are_shown_at_their_moment(page: Page, tmp_path: Path, gop_s: int) -> None:
    video, packets = make_rare_packets(9, gop_s)
    late = max(p.pts - p.dts for p in packets if p.keyframe) / 90_000
    assert late > 1 / FPS, "a key frame that is shown at its own time tells nothing"
    wall = 1_780_000_000_000
    place = Place(tmp_path, "door", "0" * 32, 1)
    writer = SegmentWriter(place, video, Instant(wall, 5000, "0" * 32, TimeQuality.SYNCHRONISED), 1)
    for packet in packets:
        writer.write(packet)
    segment = writer.close(Cause.STOPPED)
    video.owner.close()
    with place.path.open("rb") as whole:
        init = read_layout(whole).init_length
    file: dict[str, Any] = {
        "segment": "s", "init": init, "started_ms": wall, "take": 0, "quality": "synchronised",
        "fragments": [[f.offset, f.length, f.wall_ms, f.duration_ms, int(f.key)] for f in segment.fragments],
    }  # fmt: skip
    told = {"file": file, "data": base64.b64encode(place.path.read_bytes()).decode(), "from": wall}
    moments = [wall + ms for ms in (30, 3020, 4500)]
    found = page.evaluate(LOOK, {**told, "moments": moments})
    for one in found:
        assert (one["words"], one["twice"], one["lag"]) == ("", 0, 0), one
        assert one["ready"] >= 2, "a picture is there"
    assert found[1]["starts"] == pytest.approx(1 + 3, abs=0.02), "a key frame stands at its fragment's own moment"
