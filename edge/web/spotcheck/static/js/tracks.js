// The tracks of recorded footage, each for a buffer that takes no other. The text track (time and place) is named in no
// codecs string, and a browser may refuse a beginning with a track it cannot play (Media Source Extensions,
// "initialization segment received"). So the boxes of other tracks are free space in what a player is given; no byte
// moves, hence every offset still holds. What is stored and exported is as it was recorded.

const FREE = [0x66, 0x72, 0x65, 0x65];
const SPLIT = ["moov", "mvex", "moof"];

// Calls `each(kind, start of the content, end)` for each box in [from, to), and stops at what is none.
function boxes(view, from, to, each) {
  let at = from;
  while (at + 8 <= to) {
    const length = view.getUint32(at);
    if (length < 8 || at + length > to) return;
    each(word(view, at + 4), at + 8, at + length);
    at += length;
  }
}

function word(view, at) {
  return String.fromCharCode(view.getUint8(at), view.getUint8(at + 1), view.getUint8(at + 2), view.getUint8(at + 3));
}

function inside(view, from, to, path, each) {
  boxes(view, from, to, (kind, start, end) => {
    if (kind !== path[0]) return;
    if (path.length === 1) each(start, end);
    else inside(view, start, end, path.slice(1), each);
  });
}

// The tracks of a segment's beginning: {id, kind, ticks}, "vide", "soun" or "sbtl", and ticks a second.
export function tracksOf(head) {
  const view = new DataView(head);
  const found = [];
  inside(view, 0, head.byteLength, ["moov", "trak"], (start, end) => {
    const track = { id: 0, kind: "", ticks: 1 };
    inside(view, start, end, ["tkhd"], (at) => { track.id = view.getUint32(at + (view.getUint8(at) === 1 ? 20 : 12)); });
    inside(view, start, end, ["mdia", "mdhd"], (at) => { track.ticks = view.getUint32(at + (view.getUint8(at) === 1 ? 20 : 12)); });
    inside(view, start, end, ["mdia", "hdlr"], (at) => { track.kind = word(view, at + 8); });
    found.push(track);
  });
  return found;
}

// By how many seconds the first picture of a fragment is to be shown later than it is decoded (ISO/IEC 14496-12, 8.8.8):
// nought but where pictures come in another order than they are shown.
export function delayOf(tracks, data) {
  const view = new DataView(data);
  const video = tracks.find((track) => track.kind === "vide");
  let found = null;
  inside(view, 0, view.byteLength, ["moof", "traf"], (start, end) => {
    let own = false;
    inside(view, start, end, ["tfhd"], (at) => { own = video !== undefined && view.getUint32(at + 4) === video.id; });
    if (!own || found !== null) return;
    inside(view, start, end, ["trun"], (at, to) => {
      const flags = view.getUint32(at) & 0xffffff;
      const first = at + 8 + 4 * ((flags & 1) + ((flags >> 2) & 1)) + 4 * (((flags >> 8) & 1) + ((flags >> 9) & 1) + ((flags >> 10) & 1));
      if (found === null) found = flags & 0x800 && first + 4 <= to ? view.getInt32(first) / video.ticks : 0;
    });
  });
  return found || 0;
}

// A beginning, or fragments, as they are for somebody who knows the tracks of that kind alone; a copy. Of a fragment that
// has nothing of the kind nothing is left.
export function only(kind, tracks, data) {
  const ids = tracks.filter((track) => track.kind !== kind).map((track) => track.id);
  const view = new DataView(data.slice(0));
  const free = (start) => FREE.forEach((byte, n) => view.setUint8(start - 4 + n, byte));
  const idOf = (name, start, end) => {
    let id = -1;
    if (name === "trex") id = view.getUint32(start + 4);
    if (name === "trak") inside(view, start, end, ["tkhd"], (at) => { id = view.getUint32(at + (view.getUint8(at) === 1 ? 20 : 12)); });
    if (name === "traf") inside(view, start, end, ["tfhd"], (at) => { id = view.getUint32(at + 4); });
    return id;
  };
  let left = 0; // runs of the fragment
  const walk = (from, to) => boxes(view, from, to, (name, start, end) => {
    if (name === "moof") left = 0;
    if (SPLIT.includes(name)) walk(start, end);
    const gone = (name === "moof" || name === "mdat") ? left === 0 : ids.includes(idOf(name, start, end));
    if (gone) free(start);
    else if (name === "traf") left += 1;
  });
  walk(0, view.byteLength);
  return view.buffer;
}
