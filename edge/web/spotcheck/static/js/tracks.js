// The text track of a segment (time and place) is named in no codecs string, and a browser may refuse a beginning with a
// track it cannot play (Media Source Extensions, "initialization segment received"). So its boxes are free space in what
// a player is given; no byte moves, hence every offset still holds. What is stored and exported is as it was recorded.

const FREE = [0x66, 0x72, 0x65, 0x65];

// Calls `each(kind, start of the content, end)` for each box in [from, to), and stops at what is none.
function boxes(view, from, to, each) {
  let at = from;
  while (at + 8 <= to) {
    const length = view.getUint32(at);
    if (length < 8 || at + length > to) return;
    each(String.fromCharCode(view.getUint8(at + 4), view.getUint8(at + 5), view.getUint8(at + 6), view.getUint8(at + 7)), at + 8, at + length);
    at += length;
  }
}

function inside(view, from, to, path, each) {
  boxes(view, from, to, (kind, start, end) => {
    if (kind !== path[0]) return;
    if (path.length === 1) each(start, end);
    else inside(view, start, end, path.slice(1), each);
  });
}

function free(view, start) {
  FREE.forEach((byte, n) => view.setUint8(start - 4 + n, byte));
}

// Makes the text tracks of a segment's beginning free space, in place; their ids.
export function withoutText(head) {
  const view = new DataView(head);
  const ids = [];
  inside(view, 0, head.byteLength, ["moov", "trak"], (start, end) => {
    let id = 0;
    let text = false;
    inside(view, start, end, ["tkhd"], (at) => { id = view.getUint32(at + (view.getUint8(at) === 1 ? 20 : 12)); });
    inside(view, start, end, ["mdia", "hdlr"], (at) => { text = view.getUint32(at + 8) === 0x7362746c; }); // sbtl
    if (!text) return;
    ids.push(id);
    free(view, start);
  });
  inside(view, 0, head.byteLength, ["moov", "mvex", "trex"], (start) => {
    if (ids.includes(view.getUint32(start + 4))) free(view, start);
  });
  return ids;
}

// Makes the runs of those tracks free space in fragments, in place.
export function withoutRuns(data, ids) {
  const view = new DataView(data);
  inside(view, 0, data.byteLength, ["moof", "traf"], (start, end) => {
    inside(view, start, end, ["tfhd"], (at) => {
      if (ids.includes(view.getUint32(at + 4))) free(view, start);
    });
  });
}
