// The board as it changes: server-sent events, and asking every few seconds where those do not come through.

import { getJSON } from "/ui/static/js/http.js";

const POLL_MS = 3000;
const RETRY_STREAM_MS = 30000;

// deps: base url; board(document); live(yes or no); failed(failure).
export function follow(base, deps) {
  let source = null;
  let timer = 0;

  function stream() {
    clearTimeout(timer);
    source = new EventSource(base + "/events");
    source.onmessage = (event) => {
      deps.live(true);
      deps.board(JSON.parse(event.data));
    };
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
      deps.board(await getJSON(base + "/board"));
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
