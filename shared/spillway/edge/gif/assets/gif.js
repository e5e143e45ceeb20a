// A dApp on Spillway's API: prompt -> picture -> video -> GIF, by jobs, with live progress that survives a reload.

const $ = (selector, within = document) => within.querySelector(selector);
const form = $("#wish");
const KEPT = "spillway-gif";

// --- The API ---------------------------------------------------------------------------------------------------

const key = () => sessionStorage.getItem("spillway-key");

async function call(path, options = {}) {
  const headers = { ...options.headers, ...(key() ? { authorization: `Bearer ${key()}` } : {}) };
  const answer = await fetch(path, { ...options, headers });
  if (answer.ok) return answer;
  const said = await answer.json().catch(() => ({}));
  const error = new Error(said.detail?.msg ?? said.detail ?? said.error?.message ?? `the server said ${answer.status}`);
  throw Object.assign(error, { status: answer.status });
}

// What is safe to ask twice is asked again while the network, or the server, is away: five times, in about half a minute.
async function again(ask) {
  for (let wait = 1000; ; wait *= 2) {
    try {
      return await ask();
    } catch (error) {
      if (stopped || wait > 16_000 || (error.status && ![502, 503, 504].includes(error.status))) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, wait));
  }
}

// Any pipeline answers later when it is asked to: with a job. The Idempotency-Key makes it safe to ask twice.
async function start(path, body, once) {
  const json = !(body instanceof FormData);
  const options = {
    method: "POST",
    body: json ? JSON.stringify(body) : body,
    headers: { prefer: "respond-async", "idempotency-key": once, ...(json ? { "content-type": "application/json" } : {}) },
  };
  const answer = await again(() => call(path, options));
  return (await answer.json()).id;
}

// A job's events, from any server and after any break: the last id is sent along, so none is missed or doubled.
async function follow(id, show) {
  let last = "";
  let job = {};
  for (;;) {
    try {
      const answer = await call(`jobs/${id}/events`, { headers: last ? { "last-event-id": last } : {} });
      for await (const event of events(answer.body)) {
        last = event.id || last;
        // A progress event has only what changes all the time.
        job = { ...job, ...JSON.parse(event.data) };
        show(job);
        if (["succeeded", "failed", "canceled"].includes(job.status)) return await (await call(`jobs/${id}`)).json();
      }
    } catch (error) {
      if (error.status && error.status < 500 && error.status !== 429) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
}

async function* events(stream) {
  const reader = stream.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    text += value.replaceAll("\r", "");
    for (let end; (end = text.indexOf("\n\n")) >= 0; text = text.slice(end + 2)) {
      const event = { event: "message", data: "", id: "" };
      for (const line of text.slice(0, end).split("\n")) {
        const [, name, given] = /^(\w+): ?(.*)$/.exec(line) ?? [];
        if (name === "data") event.data += given;
        else if (name) event[name] = given;
      }
      if (event.data) yield event;
    }
  }
}

// --- The way of one GIF ----------------------------------------------------------------------------------------
// What has been reached is written down before the next step begins, so that a reload goes on where it was.

const read = () => JSON.parse(localStorage.getItem(KEPT) ?? "null");
const keep = (work) => (localStorage.setItem(KEPT, JSON.stringify(work)), work);
let stopped = false;

async function make(work) {
  stopped = false;
  working(true);
  try {
    work.picture ??= await start("text-to-image", { prompt: work.prompt, width: 1024, height: 576 }, `${work.id}-picture`);
    const picture = await done(keep(work), "picture");
    showPicture(work, picture.result.images[0]);
    if (picture.result.images[0].nsfw) throw new Error("the network marks this picture as not safe for work; try other words");
    if (!work.video) {
      const wish = new FormData();
      wish.append("image", await again(async () => (await fetch(picture.result.images[0].url)).blob()), "picture.png");
      work.video = await start("image-to-video", wish, `${work.id}-video`);
    }
    await done(keep(work), "video");
    step("gif", { progress: 0.5 }, "is drawn");
    const body = JSON.stringify({ job: work.video, prompt: work.prompt, name: work.name });
    // One job is one entry, however often it is entered.
    const options = { method: "POST", body, headers: { "content-type": "application/json" } };
    const entry = await (await again(() => call("api/gif/entries", options))).json();
    step("gif", { progress: 1 }, "done");
    say("Your GIF is in the gallery.");
    await showGallery("new");
    location.hash = entry.id;
  } catch (error) {
    if (!stopped) say(`That did not work: ${error.message}`);
    if (error.status === 401) askForKey();
  }
  localStorage.removeItem(KEPT);
  working(false);
}

async function done(work, name) {
  const job = await follow(work[name], (now) => step(name, now));
  step(name, { ...job, progress: 1 });
  if (job.status !== "succeeded") throw new Error(job.error?.detail ?? job.error?.message ?? `the ${name} was ${job.status}`);
  return job;
}

// --- What is seen ----------------------------------------------------------------------------------------------

const say = (words) => ($("#said").textContent = words);

function step(name, job, words) {
  const line = $(`[data-step="${name}"]`);
  $("progress", line).value = job.progress ?? 0;
  $(".how", line).textContent = words ?? described(job);
}

function described(job) {
  const left = job.eta_seconds == null ? "" : `, about ${Math.ceil(job.eta_seconds)} s left`;
  if (job.status === "queued") return `number ${job.queue_position ?? 1} in the queue${left}`;
  if (job.status === "running") return `is made by ${job.served_by || "the network"}${left}`;
  return job.status === "succeeded" ? `made by ${job.served_by}` : job.status ?? "";
}

function working(on) {
  $("#work").hidden = false;
  $("#stop").hidden = !on;
  $("button[type=submit]", form).disabled = on;
}

function showPicture(work, image) {
  Object.assign($("#picture"), { src: image.url, alt: work.prompt, hidden: false });
  $("#picture").classList.toggle("nsfw", image.nsfw);
}

function askForKey() {
  $("#key-row").hidden = false;
  $("#key").focus();
}

async function showGallery(order) {
  for (const button of document.querySelectorAll("[data-order]")) {
    button.setAttribute("aria-pressed", String(button.dataset.order === order));
  }
  try {
    const { entries } = await (await again(() => call(`api/gif/entries?order=${order}`))).json();
    $("#gallery").replaceChildren(...entries.map(shown));
    $("#empty").textContent = entries.length ? "" : "Nothing yet: make the first one.";
  } catch (error) {
    $("#empty").textContent = `The gallery can't be shown: ${error.message}`;
  }
}

// A shared link names one entry, which may be older than those in the gallery.
async function showLinked() {
  const id = /^#([0-9a-f]{32})$/.exec(location.hash)?.[1];
  if (!id) return;
  const known = document.getElementById(id);
  const card = known ?? (await call(`api/gif/entries/${id}`).then(async (answer) => shown(await answer.json()), () => null));
  if (!card) return void ($("#empty").textContent = "The GIF of this link is not in the gallery any more.");
  if (!known) $("#gallery").prepend(card);
  card.classList.add("linked");
  card.scrollIntoView({ block: "center" });
}

function shown(entry) {
  const card = $("#entry").content.cloneNode(true).firstElementChild;
  card.id = entry.id;
  Object.assign($("img", card), { src: entry.gif, alt: entry.prompt, width: entry.width, height: entry.height });
  $(".prompt", card).textContent = entry.prompt;
  $(".by", card).textContent = `${entry.name ? `by ${entry.name}, ` : ""}made by ${entry.served_by}`;
  Object.assign($(".download", card), { href: entry.gif, download: `${entry.id}.gif` });
  const tell = (words) => ($(".told", card).textContent = words);
  const vote = $(".vote", card);
  const count = (votes) => (vote.textContent = `vote ♥ ${votes}`);
  $(".prompt", card).id = `${entry.id}-prompt`;
  vote.setAttribute("aria-describedby", `${entry.id}-prompt`);
  count(entry.votes);
  vote.addEventListener("click", async () => {
    try {
      count((await (await call(`api/gif/entries/${entry.id}/votes`, { method: "POST" })).json()).votes);
      vote.disabled = true;
    } catch (error) {
      tell(error.message);
    }
  });
  $(".share", card).addEventListener("click", () => share(entry, tell));
  return card;
}

async function share(entry, tell) {
  const url = new URL(`gif#${entry.id}`, document.baseURI).href;
  if (navigator.share) await navigator.share({ title: entry.prompt, url }).catch(() => {});
  // There is no clipboard for a page that came over plain HTTP from another machine.
  else if (!navigator.clipboard) tell(url);
  else await navigator.clipboard.writeText(url).then(() => tell("The link is in your clipboard."), () => tell(url));
}

// --- Beginning -------------------------------------------------------------------------------------------------

form.addEventListener("submit", (event) => {
  event.preventDefault();
  if ($("#key").value) sessionStorage.setItem("spillway-key", $("#key").value);
  $("#picture").hidden = true;
  for (const name of ["picture", "video", "gif"]) step(name, {}, "");
  say("");
  make(keep({ id: crypto.randomUUID?.() ?? String(Math.random()).slice(2), prompt: $("#prompt").value, name: $("#name").value }));
});

$("#stop").addEventListener("click", async () => {
  const work = read();
  stopped = true;
  say("Stopped.");
  const job = work?.video ?? work?.picture;
  if (job) await call(`jobs/${job}`, { method: "DELETE" }).catch(() => {});
});

for (const button of document.querySelectorAll("[data-order]")) {
  button.addEventListener("click", () => showGallery(button.dataset.order));
}

showGallery("new").then(showLinked);
if (read()) {
  $("#prompt").value = read().prompt;
  make(read());
}
