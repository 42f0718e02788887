// The board as it changes: server-sent events (the whole once, then what is new), and asking every few seconds where
// those do not come through.

import { getJSON } from "/ui/static/js/http.js";

const POLL_MS = 3000;
const RETRY_STREAM_MS = 30000;

// Puts a change into a board and returns the new board: parts whole, of the seats the changed tiles.
export function merged(board, news) {
  const next = Object.assign({}, board, news);
  delete next.tiles;
  if (news.tiles) {
    const fresh = new Map(news.tiles.map((tile) => [tile.person || tile.seat, tile]));
    next.seats = board.seats.map((tile) => fresh.get(tile.person || tile.seat) || tile);
  }
  return next;
}

// deps: base url; board(document); live(yes or no); failed(failure).
export function follow(base, deps) {
  let source = null;
  let timer = 0;
  let last = null;

  function take(document_) {
    last = document_;
    deps.board(last);
  }

  function stream() {
    clearTimeout(timer);
    source = new EventSource(base + "/events");
    source.addEventListener("board", (event) => {
      deps.live(true);
      take(JSON.parse(event.data));
    });
    source.addEventListener("change", (event) => {
      deps.live(true);
      if (last) take(merged(last, JSON.parse(event.data)));
    });
    source.onerror = () => {
      // A cut stream comes back by itself; a refused one does not.
      if (source.readyState === EventSource.CLOSED) {
        source = null;
        poll();
        setTimeout(stream, RETRY_STREAM_MS);
      } else poll(true);
    };
    source.onopen = () => {
      clearTimeout(timer);
      deps.live(true);
    };
  }

  async function poll(once) {
    clearTimeout(timer);
    try {
      take(await getJSON(base + "/board"));
      deps.live(true);
    } catch (failure) {
      deps.live(false);
      deps.failed(failure);
    }
    if (!once || !source || source.readyState !== EventSource.OPEN) timer = setTimeout(poll, POLL_MS);
  }

  stream();
  poll(true);
}
