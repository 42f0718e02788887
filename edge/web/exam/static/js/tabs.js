// One page of this tablet writes at a time. A second one is told, and may take over once the first has put all it has
// into the store. Works without HTTPS: a channel between pages, or where there is none the storage event.

const NAME = "examroom-exam";
const ANSWER_MS = 300;
const HANDOVER_MS = 3000;

function line(hear) {
  if ("BroadcastChannel" in window) {
    const channel = new BroadcastChannel(NAME);
    channel.onmessage = (event) => hear(event.data);
    return (message) => channel.postMessage(message);
  }
  window.addEventListener("storage", (event) => { if (event.key === NAME && event.newValue) hear(JSON.parse(event.newValue)); });
  return (message) => {
    try {
      localStorage.setItem(NAME, JSON.stringify(Object.assign({ once: Math.random() }, message)));
    } catch (error) {
      // No storage either: the store's own keys still keep two pages from writing over each other.
    }
  };
}

// giveUp(): stops this page and resolves when all it has is in the store.
export function createTabs(id, giveUp) {
  let active = false;
  let since = 0;
  let waiting = null;
  const send = line(hear);

  function hear(message) {
    if (!message || message.from === id || (message.to && message.to !== id)) return;
    if (message.kind === "who" && active) send({ kind: "here", from: id, to: message.from });
    // Two pages opened at the same moment: the one with the smaller name keeps it.
    else if (message.kind === "here" && active && performance.now() - since < 2 * ANSWER_MS && message.from < id) leave(message.from);
    else if (message.kind === "active" && active && performance.now() - since < 2 * ANSWER_MS && id < message.from) send({ kind: "here", from: id, to: message.from });
    else if ((message.kind === "take" || message.kind === "active") && active) leave(message.from);
    else if (waiting && (message.kind === "here" || message.kind === "given")) waiting(message.kind);
  }

  async function leave(to) {
    active = false;
    await giveUp();
    send({ kind: "given", from: id, to });
  }

  function ask(kind, patience) {
    return new Promise((resolve) => {
      const timer = setTimeout(() => waiting("silence"), patience);
      waiting = (answer) => {
        clearTimeout(timer);
        waiting = null;
        resolve(answer);
      };
      send({ kind, from: id });
    });
  }

  function become() {
    active = true;
    since = performance.now();
    send({ kind: "active", from: id });
  }

  return {
    // True when no other page has the paper: this one has it now.
    async open() {
      if ((await ask("who", ANSWER_MS)) === "here") return false;
      become();
      return true;
    },
    // A page that does not answer (frozen in the background) yields when it wakes up.
    async take() {
      await ask("take", HANDOVER_MS);
      become();
    },
  };
}
