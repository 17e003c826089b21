// Keeps the part of a page that says where its events come from up to date. What comes is
// made of the same templates as the page; the page's policy lets nothing in it run.
"use strict";
(() => {
  const part = document.getElementById("live");
  if (!part || !part.dataset.events || !window.EventSource) return;
  const note = document.getElementById("live-note");
  const say = (text) => { if (note) { note.textContent = text; note.hidden = !text; } };
  const events = new EventSource(part.dataset.events);
  const end = () => { events.close(); say("This page is not kept up to date any more. Load it again."); };
  events.onopen = () => say("This page is kept up to date.");
  events.onmessage = (e) => {
    if (part.contains(document.activeElement) && document.activeElement !== part) return;
    const at = [...part.querySelectorAll(".scroll")].map((s) => s.scrollLeft);
    part.innerHTML = e.data;
    part.querySelectorAll(".scroll").forEach((s, i) => { s.scrollLeft = at[i] || 0; });
  };
  events.addEventListener("end", end);
  events.onerror = () => { if (events.readyState === EventSource.CLOSED) end(); else say("The connection is lost. Trying again."); };
})();
