/* Keeps a page true while it is open: the server says what changed, the page asks for that part again.
 *
 * Parts are elements with data-live (a topic) and data-live-src (an address that answers with the part's content).
 * Items inside carry data-key and data-version: one that did not change is left alone, with its focus and selection.
 * Without this module every page still works, by reloading it.
 */

import { refreshTimes } from "./times.js";

const parts = [...document.querySelectorAll("[data-live]")];
const indicator = document.getElementById("live");
let known = { ...document.body.dataset }, source = null; // marks of what the page shows

document.querySelector(".nav [aria-current]")?.scrollIntoView({ inline: "center", block: "nearest" });
connect();
setInterval(refreshTimes, 15000);
refreshTimes();
document.addEventListener("submit", quietly);

/* A hidden page lets go of its stream: browsers allow few connections to one host, and nobody is looking. */
document.addEventListener("visibilitychange", () => (document.hidden ? stop() : connect()));
addEventListener("pagehide", stop);
addEventListener("pageshow", connect);

function stop() {
  source?.close();
  source = null;
}

function connect() {
  if (source) return;
  source = new EventSource("/live");
  source.addEventListener("open", () => say("on", "live"));
  source.addEventListener("change", (event) => {
    const now = JSON.parse(event.data);
    for (const part of parts) if (known[part.dataset.live] !== now[part.dataset.live]) refresh(part);
    known = now;
    for (const [path, number] of Object.entries(now.counts)) count(path, number);
  });
  source.addEventListener("error", (event) => {
    say("off", event.target.readyState === EventSource.CLOSED ? "not live: reload" : "reconnecting");
  });
}

function say(state, text) {
  indicator.dataset.state = state;
  indicator.lastElementChild.textContent = text;
}

function count(path, number) {
  const badge = document.querySelector(`[data-count="${path}"]`);
  if (!badge) return;
  badge.textContent = number;
  badge.hidden = !number;
}

/** One request at a time for each part; a change that comes meanwhile asks once more afterwards. */
async function refresh(part) {
  if (part.busy) {
    part.again = true;
    return;
  }
  part.busy = true;
  try {
    const answer = await fetch(part.dataset.liveSrc, { headers: { Accept: "text/html" } });
    if (answer.ok) merge(part, await answer.text());
  } catch {
    say("off", "reconnecting");
  } finally {
    part.busy = false;
    if (part.again) {
      part.again = false;
      refresh(part);
    }
  }
}

function merge(part, html) {
  const fresh = document.createElement("template");
  fresh.innerHTML = html;
  const old = new Map([...part.querySelectorAll("[data-key]")].map((item) => [item.dataset.key, item]));
  const focused = document.activeElement?.closest?.("[data-key]")?.dataset.key;
  for (const item of fresh.content.querySelectorAll("[data-key]")) {
    const before = old.get(item.dataset.key);
    if (before && before.dataset.version === item.dataset.version) item.replaceWith(before);
    else if (!before) item.classList.add("is-new");
  }
  part.replaceChildren(fresh.content);
  refreshTimes();
  if (focused && !part.contains(document.activeElement)) {
    part.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.querySelector("a[href], button")?.focus();
  }
  part.dispatchEvent(new CustomEvent("refreshed", { bubbles: true }));
}

/** Sends forms marked data-quick without leaving the page; whatever goes wrong is left to the page they lead to. */
async function quietly(event) {
  const form = event.target;
  if (!("quick" in form.dataset)) return;
  event.preventDefault();
  const button = event.submitter;
  if (button) button.disabled = true;
  try {
    const answer = await fetch(form.action, {
      method: "POST", body: new URLSearchParams(new FormData(form)), headers: { Accept: "text/html" }, redirect: "follow",
    });
    const part = form.closest("[data-live]");
    if (answer.ok && part) await refresh(part);
    else form.submit();
  } catch {
    if (button) button.disabled = false;
    say("off", "no connection: try again");
  }
}
