// The evidence container: a ZIP of which one byte form is valid. Every header byte is rebuilt and compared.

import { same, Wrong } from "./bytes.js";

const LOCAL = 30, CENTRAL = 46, END = 22;
const LOCAL_MARK = 0x04034b50, CENTRAL_MARK = 0x02014b50, END_MARK = 0x06054b50;
const MOST_MEMBERS = 0xfffe;
const NAME = /^[A-Za-z0-9][A-Za-z0-9._/-]{0,199}$/;
const BLOCK = 1 << 20;
const TAIL = 1 << 16;

export async function bytesOf(blob, start, size) {
  return new Uint8Array(await new Response(blob.slice(start, start + size)).arrayBuffer());
}

// `use` gets the bytes [start, start + size) in blocks of at most 1 MiB.
export async function eachBlock(blob, start, size, use) {
  const end = Math.min(start + size, blob.size);
  for (let at = start; at < end; at += BLOCK) use(await bytesOf(blob, at, Math.min(BLOCK, end - at)));
}

function header(length, mark, fields) {
  const bytes = new Uint8Array(length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, mark, true);
  let at = 4;
  for (const [width, value] of fields) {
    if (width === 2) view.setUint16(at, value, true);
    else view.setUint32(at, value, true);
    at += width;
  }
  return bytes;
}

// Version needed, flags, method, time and date are the same in every file of the format.
const FIXED = [[2, 20], [2, 0x0800], [2, 0], [2, 0], [2, 0x0021]];

function facts(member) {
  return [[4, member.crc], [4, member.size], [4, member.size], [2, member.name.length], [2, 0]];
}

function directory(members) {
  const end = members.length ? members[members.length - 1].end : 0;
  const records = members.map((m) => header(CENTRAL, CENTRAL_MARK, [[2, 20], ...FIXED, ...facts(m), [2, 0], [2, 0], [2, 0], [4, 0], [4, m.header]]));
  const length = records.reduce((sum, record, at) => sum + record.length + members[at].name.length, 0);
  const bytes = new Uint8Array(length + END);
  let at = 0;
  records.forEach((record, index) => {
    bytes.set(record, at);
    at += record.length;
    for (const letter of members[index].name) bytes[at++] = letter.charCodeAt(0);
  });
  bytes.set(header(END, END_MARK, [[2, 0], [2, 0], [2, members.length], [2, members.length], [4, length], [4, end], [2, 0]]), at);
  return bytes;
}

// The member whose local header these bytes are, or null where a single one is not canonical.
function memberOf(head, nameBytes, at) {
  if (head.length < LOCAL || nameBytes.length > 200) return null;
  const name = String.fromCharCode(...nameBytes);
  if (!NAME.test(name)) return null;
  const view = new DataView(head.buffer, head.byteOffset, LOCAL);
  const start = at + LOCAL + name.length;
  const member = { name, header: at, crc: view.getUint32(14, true), size: view.getUint32(18, true), start };
  member.end = start + member.size;
  return same(header(LOCAL, LOCAL_MARK, [...FIXED, ...facts(member)]), head) ? member : null;
}

function markAt(bytes, at) {
  return bytes.length >= at + 4 && at >= 0 ? new DataView(bytes.buffer, bytes.byteOffset + at, 4).getUint32(0, true) : null;
}

// The members in order, each content byte unread. Wrong `container_cut` or `container_altered` (fact `at`).
export async function readDirectory(blob) {
  const length = blob.size;
  const whole = markAt(await bytesOf(blob, Math.max(0, length - END), END), 0) === END_MARK;
  const members = [];
  const names = new Set();
  let at = 0;
  for (;;) {
    const near = await bytesOf(blob, at, LOCAL + 256);
    const head = near.subarray(0, LOCAL);
    if (markAt(head, 0) === CENTRAL_MARK) break;
    const wanted = (head[26] || 0) + 256 * (head[27] || 0);
    const name = wanted <= 256 ? near.subarray(LOCAL, LOCAL + wanted) : await bytesOf(blob, at + LOCAL, wanted);
    const member = memberOf(head, name, at);
    if (member === null || names.has(member.name) || member.end > length || members.length >= MOST_MEMBERS) {
      const short = head.length < LOCAL || name.length < wanted || (member !== null && member.end > length);
      throw short && !whole ? new Wrong("container_cut") : new Wrong("container_altered", { at });
    }
    members.push(member);
    names.add(member.name);
    at = member.end;
  }
  const expected = directory(members);
  const found = await bytesOf(blob, at, expected.length + 1);
  let first = 0;
  while (first < expected.length && first < found.length && expected[first] === found[first]) first += 1;
  if (first === expected.length && found.length === expected.length) return members;
  if (first === found.length) throw new Wrong("container_cut");
  throw new Wrong("container_altered", { at: at + first });
}

// Whether it begins or ends as an evidence container does: either may be altered, and the file may be cut.
export async function isContainer(blob, readme, manifest) {
  const tail = await bytesOf(blob, Math.max(0, blob.size - TAIL), TAIL);
  const head = await bytesOf(blob, 0, LOCAL + readme.length);
  if (markAt(head, 0) !== LOCAL_MARK && markAt(tail, tail.length - END) !== END_MARK) return false;
  const latin = (bytes) => Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
  return readme.startsWith(latin(head.subarray(LOCAL))) || latin(tail).includes(manifest);
}
