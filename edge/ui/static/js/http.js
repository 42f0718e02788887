// Requests of the staff pages. A Failure carries the sentence to show; `offline` when the room did not answer.

import { lang, t } from "./text.js";

export class Failure extends Error {
  constructor(status, body) {
    const told = body && body[lang()];
    super(told || t(status ? "common.failed" : "common.no_answer", { status }));
    this.status = status;
    this.code = (body && body.error) || "";
    this.offline = status === 0;
  }
}

function csrf() {
  const block = document.getElementById("facts");
  return (block && JSON.parse(block.textContent).csrf) || "";
}

async function request(url, options, timeout) {
  const stop = new AbortController();
  const timer = setTimeout(() => stop.abort(), timeout);
  try {
    return await fetch(url, Object.assign({ credentials: "same-origin", cache: "no-store", signal: stop.signal }, options));
  } catch (error) {
    throw new Failure(0, null);
  } finally {
    clearTimeout(timer);
  }
}

async function answer(response) {
  let body = null;
  try {
    body = await response.json();
  } catch (error) {
    body = null;
  }
  if (response.status === 401 && body && document.body.dataset.staff !== undefined) {
    location.assign("/staff/login?next=" + encodeURIComponent(location.pathname));
  }
  if (!response.ok) throw new Failure(response.status, body);
  return body;
}

function sending(body) {
  const headers = { "Content-Type": "application/json", "X-CSRF": csrf() };
  return { method: "POST", headers, body: JSON.stringify(body) };
}

export async function getJSON(url, timeout = 8000) {
  return answer(await request(url, {}, timeout));
}

export async function postJSON(url, body, timeout = 15000) {
  return answer(await request(url, sending(body), timeout));
}

export async function deleteJSON(url, timeout = 15000) {
  return answer(await request(url, { method: "DELETE", headers: { "X-CSRF": csrf() } }, timeout));
}
