// Parts of the page are sent anew when they change. Without this script the page is whole, but stands still.
"use strict";

const { view, pipeline } = document.body.dataset;
const live = document.getElementById("live");
const later = new Map();
const source = new EventSource(`api/dashboard/events?range=${view}${pipeline ? `&pipeline=${pipeline}` : ""}`);

function say(words, on) {
  if (live.textContent !== words) live.textContent = words;
  live.classList.toggle("on", on);
}

source.addEventListener("open", () => say("live", true));
// EventSource tries again by itself, unless it was refused.
source.addEventListener("error", () => say(source.readyState === EventSource.CLOSED ? "not live" : "reconnecting", false));
source.addEventListener("section", (event) => {
  const { id, html } = JSON.parse(event.data);
  const part = document.getElementById(id);
  // What a reader is in the middle of stays as it is until they leave it.
  if (!part) return;
  if (part.contains(document.activeElement)) return void later.set(id, html);
  show(part, html);
});
// Focus has gone on only after the event; where the whole window was left, it has not.
document.addEventListener("focusout", () => setTimeout(showLater));

function showLater() {
  for (const [id, html] of later) {
    const part = document.getElementById(id);
    if (!part.contains(document.activeElement)) show(part, html);
  }
}

function show(part, html) {
  later.delete(part.id);
  const scrolled = part.querySelector(".scroll")?.scrollLeft ?? 0;
  part.innerHTML = html;
  if (scrolled) part.querySelector(".scroll").scrollLeft = scrolled;
}
