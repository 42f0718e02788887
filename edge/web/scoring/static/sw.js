// Lets the scoring page be reloaded while the room does not answer: the newest page and scripts seen are kept, and used
// only when the room gives none in time. Names, drafts and sheets never pass through here; they are in IndexedDB.

const CACHE = "examroom-scoring-1";
const PATIENCE_MS = 4000;

self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));

self.addEventListener("fetch", (event) => {
  const url = new URL(event.request.url);
  const path = url.pathname;
  const page = path.startsWith("/scoring/") && !path.startsWith("/scoring/api/") && path !== "/scoring/sw.js";
  const ours = page || path.startsWith("/ui/static/");
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
    // a page that led to the sign-in is not the page
    if (response.ok && !response.redirected && response.type === "basic") await cache.put(key, response.clone());
    return response;
  } catch (error) {
    const kept = await cache.match(key);
    if (kept) return kept;
    return fetch(request);
  } finally {
    clearTimeout(timer);
  }
}
