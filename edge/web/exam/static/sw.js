// Lets the exam page be reloaded while the room does not answer: the newest shell and scripts seen are kept, and used
// only when the room gives none in time. Answers and paper never pass through here.

const CACHE = "examroom-exam-1";
const PATIENCE_MS = 4000;

self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));

self.addEventListener("fetch", (event) => {
  const url = new URL(event.request.url);
  const ours = url.pathname === "/exam/" || url.pathname.startsWith("/exam/static/") || url.pathname.startsWith("/ui/static/");
  if (event.request.method === "GET" && url.origin === self.location.origin && ours) event.respondWith(fetchOrKept(event.request, url));
});

async function fetchOrKept(request, url) {
  const cache = await caches.open(CACHE);
  const key = url.pathname;
  let timer = 0;
  const tooSlow = new Promise((resolve, reject) => { timer = setTimeout(() => reject(new Error("slow")), PATIENCE_MS); });
  try {
    const response = await Promise.race([fetch(request), tooSlow]);
    if (response.status >= 500) throw new Error("failed");
    if (response.ok) await cache.put(key, response.clone());
    return response;
  } catch (error) {
    const kept = await cache.match(key);
    if (kept) return kept;
    return fetch(request);
  } finally {
    clearTimeout(timer);
  }
}
