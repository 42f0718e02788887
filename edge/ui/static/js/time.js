// Times as people in the room read them. China keeps one time zone; a tablet set to another must not mislead.

const ZONE_MS = 8 * 3600 * 1000;
const two = (n) => (n < 10 ? "0" : "") + n;

export function hms(ms) {
  const at = new Date(ms + ZONE_MS);
  return two(at.getUTCHours()) + ":" + two(at.getUTCMinutes()) + ":" + two(at.getUTCSeconds());
}

export function hm(ms) {
  return hms(ms).slice(0, 5);
}

export function date(ms) {
  const at = new Date(ms + ZONE_MS);
  return at.getUTCFullYear() + "-" + two(at.getUTCMonth() + 1) + "-" + two(at.getUTCDate());
}

// A countdown: 1:05:09, or 05:09 under an hour. Rounded up, so that 00:00 is the very end.
export function countdown(ms) {
  const s = Math.max(0, Math.ceil(ms / 1000));
  const rest = two(Math.floor(s / 60) % 60) + ":" + two(s % 60);
  return s >= 3600 ? Math.floor(s / 3600) + ":" + rest : rest;
}
