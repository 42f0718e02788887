// Parts with a time limit of their own: one at a time, each begun on purpose, none to return to.

export function createParts(paper, queue, clock) {
  const { marks, parts } = paper;
  const openedHere = {};

  const opened = (index) => index in clock.parts() || typeof parts[index].left_ms === "number" || queue.opening().includes(index);
  const canOpen = (index) => paper.limited && index !== marks.part && !marks.left[index];
  const reachable = (index) => !paper.limited || (paper.items[index] !== undefined && paper.items[index].partIndex === marks.part);

  return {
    reachable,
    canOpen,
    unopened: () => parts.map((part, index) => index).filter(canOpen),
    first: () => paper.items.findIndex((item, index) => reachable(index)),
    // On another tablet nothing is noted: the part the room knows to be open is gone on with.
    resume() {
      if (!paper.limited || marks.part !== null) return;
      const known = parts.map((part, index) => index).filter(opened);
      known.forEach((index) => { marks.left[index] = true; });
      if (known.length) marks.part = known.reduce((best, index) => ((clock.parts()[index] || parts[index].left_ms || 0) > 0 ? index : best), known[known.length - 1]);
    },
    start(index) {
      if (marks.part !== null) marks.left[marks.part] = true;
      marks.part = index;
      openedHere[index] = performance.now();
      if (parts[index].minutes && !opened(index)) queue.openPart(index);
    },
    // Of the part one is in, in ms; null without a limit. The room's count, or ours until it has heard of it.
    left() {
      const part = marks.part === null ? null : parts[marks.part];
      if (!part || !part.minutes) return null;
      const known = clock.parts();
      if (marks.part in known) return known[marks.part];
      if (typeof part.left_ms === "number" && !(marks.part in openedHere)) return null;
      const began = openedHere[marks.part];
      return began === undefined ? null : Math.max(0, part.minutes * 60000 - (performance.now() - began));
    },
  };
}
