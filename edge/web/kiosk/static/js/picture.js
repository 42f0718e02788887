// The live picture: asked for about five times a second, one at a time, and only while somebody is to look at it.

const EVERY_MS = 200;
const SLOW_MS = 1000;

export function createPicture(image, shown) {
  let running = false;
  let url = "";

  async function next() {
    if (!running) return;
    let wait = EVERY_MS;
    try {
      const response = await fetch("/kiosk/picture.jpg", { cache: "no-store", credentials: "same-origin" });
      if (response.status === 200) {
        const fresh = URL.createObjectURL(await response.blob());
        if (running) {
          image.src = fresh;
          if (url) URL.revokeObjectURL(url);
          url = fresh;
          shown(true);
        } else URL.revokeObjectURL(fresh);
      } else {
        shown(false);
        wait = SLOW_MS;
      }
    } catch (error) {
      shown(false);
      wait = SLOW_MS;
    }
    if (running) setTimeout(next, wait);
  }

  return {
    start() {
      running = true;
      next();
    },
    // Nobody's face stays on the screen or in memory.
    stop() {
      running = false;
      if (url) URL.revokeObjectURL(url);
      url = "";
    },
  };
}
