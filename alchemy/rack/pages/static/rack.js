// Keeps a page current. Without it everything works, and a reload shows what is new.
"use strict";
(() => {
  const QUIET = 2000; // milliseconds between two refreshes, whatever happens meanwhile
  const IDLE = 30000; // and the longest that an age on the page may lag behind
  const node = document.documentElement.dataset.node;
  const state = document.getElementById("live");
  let timer = 0, last = 0, busy = false;

  function say(text) { if (state) state.textContent = text; }

  function plan(delay) {
    if (document.hidden) return;
    clearTimeout(timer);
    timer = setTimeout(refresh, Math.max(delay, last + QUIET - Date.now()));
  }

  async function refresh() {
    if (busy) return plan(QUIET);
    busy = true;
    last = Date.now();
    try {
      const answer = await fetch(location.href, { headers: { Accept: "text/html" }, credentials: "same-origin" });
      if (answer.redirected) return location.reload();
      if (answer.ok) replace(new DOMParser().parseFromString(await answer.text(), "text/html"));
    } catch {
      say("offline");
    } finally {
      busy = false;
      plan(IDLE);
    }
  }

  function replace(fresh) {
    for (const old of document.querySelectorAll("[data-live]")) {
      const now = fresh.getElementById(old.id);
      if (!now || now.innerHTML === old.innerHTML) continue;
      const focused = old.contains(document.activeElement) ? document.activeElement : null;
      // somebody types, chooses or marks text here
      if (focused?.matches("input, select, textarea, button") || marked(old)) continue;
      const link = focused?.getAttribute("href");
      old.replaceChildren(...now.childNodes);
      if (link) [...old.querySelectorAll("a")].find((one) => one.getAttribute("href") === link)?.focus();
    }
  }

  function marked(element) {
    const selection = getSelection();
    return !selection.isCollapsed && element.contains(selection.anchorNode);
  }

  if (!document.querySelector("[data-live]")) return;
  // a browser has six connections for all tabs: one that nobody sees gives its back
  let events = null;
  function listen() {
    if (document.hidden) {
      events?.close();
      events = null;
      return;
    }
    events ??= new EventSource("/live");
    events.onopen = () => say("live");
    events.onerror = () => say("offline");
    events.onmessage = (event) => {
      if (!node || JSON.parse(event.data).node === node) plan(QUIET / 4);
    };
  }

  addEventListener("visibilitychange", () => {
    listen();
    plan(0);
  });
  listen();
  plan(IDLE);
})();
