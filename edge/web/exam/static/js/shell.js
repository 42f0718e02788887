// Whether this page can be reloaded without the room, and making it so: the service worker keeps every file the page
// has used. Service workers need HTTPS that the tablet trusts (or localhost).

const OURS = /^\/(exam|ui)\/static\//;

// True once this page would come back after a reload without network.
export function createShell(changed) {
  let ready = false;
  const workers = "serviceWorker" in navigator && window.isSecureContext ? navigator.serviceWorker : null;
  const registered = workers ? workers.register("/exam/sw.js").then(() => true, () => false) : Promise.resolve(false);

  async function keep() {
    if (ready || !(await registered)) return;
    await workers.ready;
    if (!workers.controller) await new Promise((resolve) => workers.addEventListener("controllerchange", resolve, { once: true }));
    const used = performance.getEntriesByType("resource").map((entry) => new URL(entry.name).pathname).filter((path) => OURS.test(path));
    try {
      // Through the worker, which keeps what passes; mostly answered by "not modified".
      for (const path of Array.from(new Set(used)).concat("/exam/")) {
        const response = await fetch(path);
        if (!response.ok) return;
      }
      ready = true;
      changed();
    } catch (error) {
      // The room does not answer just now; asked again with the next paper.
    }
  }

  return { keep, ready: () => ready, possible: () => registered };
}
