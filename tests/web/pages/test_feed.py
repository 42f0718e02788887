"""What a player asks for: runs of fragments, and what becomes of one that cannot be read. Nothing is really played."""

from __future__ import annotations

from playwright.sync_api import Page

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
      feed.want(0, 1);
      await new Promise((done) => setTimeout(done, 5));
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
