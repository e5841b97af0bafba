// The offline part of a page: registers the service worker, has it download the course in the background, and tells the
// page how far that is and when a new release is ready. Importing it registers the worker.

const JUPYTERLITE = "development"; // filled in by the build: JupyterLite's version

const ROOT = new URL("./", import.meta.url);
const SCRIPT = new URL("service-worker.js?enableCache=false", ROOT).href; // the very URL that JupyterLite registers
const EVERY_SECOND = 1000; // a worker without messages is ended after 30 seconds, and its downloads with it
const PATIENCE = 10_000; // for the answer of a worker
const AGAIN = 60_000; // after a failed download or update
const HOUR = 3_600_000;
const SETTLED = 15_000; // after Python's start: the first cells come first

const NO_SUPPORT = {
  insecure:
    "Browsers keep a site for offline use only at an https:// address or on this computer (127.0.0.1). " +
    "Here the course works while the server can be reached.",
  missing:
    "This browser, or this private window, keeps no site for offline use. The course works while the server can be reached.",
  refused:
    "This browser did not let the course be kept for offline use (site data is blocked, or this is a private window). " +
    "The course works while the server can be reached.",
};
const SAVE_DATA = "This browser is set to save data: the course is downloaded for offline use only when you ask for it.";
const NOT_BEGUN = "The list of the course's files could not be loaded; the next visit tries again.";
const NO_ROOM = "This browser has not enough room for the whole course.";

export const offline = Object.assign(new EventTarget(), {
  state: {
    supported: true,
    reason: "",
    total: 0,
    done: 0,
    complete: false,
    running: false,
    failed: "",
    release: "",
    update: null,
    memory: 0, // bytes kept so that Python starts sooner
  },
});

let registration = null;
let registering = null;
let wanted = false; // whether the download is to go on, also in a worker that was ended and started again
let saved = null; // promise, once this page is to be loaded again with the new release
let asking = null;
let news = false; // whether there is a reason to ask once more
let lastLook = 0;
let afterwards = null; // promise of what is done in the background

function show(change) {
  const next = { ...offline.state, ...change };
  if (JSON.stringify(next) === JSON.stringify(offline.state)) return;
  offline.state = next;
  offline.dispatchEvent(new Event("change"));
}

const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

// ---- talking to a worker -----------------------------------------------------------------------

/** What a worker says of its release; null if it does not answer (JupyterLite's own worker does not). */
function stateOf(worker) {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    const timer = setTimeout(() => done(null), PATIENCE);
    const done = (answer) => {
      clearTimeout(timer);
      port1.close();
      resolve(answer);
    };
    port1.onmessage = ({ data }) => done(data);
    if (worker.state === "redundant") done(null); // it was replaced, or its installation failed
    else worker.postMessage({ type: "state" }, [port2]);
  });
}

async function look() {
  const { active, installing, waiting } = registration;
  const coming = waiting ?? (active ? installing : null); // the first worker of all is no update
  const [now, next] = await Promise.all([active && stateOf(active), coming && stateOf(coming)]);
  const update = next?.release && next.release !== now?.release
    ? { release: next.release, fraction: coming === waiting ? 1 : next.done / next.total, ready: coming === waiting }
    : null;
  show({ ...now, update });
  if (now?.complete) wanted = false;
  if (wanted && now && !now.running && !now.failed) active.postMessage({ type: "download" });
  return Boolean(installing || wanted || now?.running) && !now?.failed;
}

/** Asks now, and once a second as long as something is going on. */
function follow() {
  news = true;
  asking ??= (async () => {
    while (news) {
      news = false;
      if (!(await look())) continue;
      await pause(EVERY_SECOND);
      news = true;
    }
  })().finally(() => {
    asking = null;
    if (wanted && offline.state.failed) setTimeout(resume, AGAIN);
  });
  return asking;
}

// ---- the download ------------------------------------------------------------------------------

async function whyNotByItself() {
  if (navigator.connection?.saveData) return SAVE_DATA;
  const { quota, usage } = (await navigator.storage?.estimate?.()) ?? {};
  const missing = offline.state.total - offline.state.done;
  return quota !== undefined && quota - usage < 1.1 * missing ? NO_ROOM : "";
}

/** Starts or resumes the download of the course. */
export function download() {
  if (!registration?.active) return;
  wanted = true;
  show({ failed: "", reason: "" });
  registration.active.postMessage({ type: "download" });
  follow();
}

async function downloadInTheBackground() {
  if (offline.state.complete) return;
  const reason = await whyNotByItself();
  if (reason) show({ reason });
  else download();
}

/** Resolves when the page has what it needs: then the rest of the line is free for the download. */
async function idle() {
  const start = window.tinytorch;
  if (start?.events) {
    while (start.stage !== "ready" && start.stage !== "failed") {
      await new Promise((resolve) => start.events.addEventListener("change", resolve, { once: true }));
    }
    await pause(SETTLED);
  } else if (document.readyState !== "complete") {
    await new Promise((resolve) => addEventListener("load", resolve, { once: true }));
  }
  await new Promise((resolve) => (window.requestIdleCallback ?? setTimeout)(resolve));
}

// ---- Python as it is after its start -----------------------------------------------------------

const LITTLE_MEMORY = 4; // gigabytes: with less, a second Python beside the student's is too much
const SNAPSHOT = 100_000_000; // bytes it may take, at most
const MAKING = 300_000; // milliseconds after which it is given up
const CALM = 5000; // a page that is left again at once begins no such work

/** Resolves once the whole course is here. */
async function complete() {
  while (!offline.state.complete) {
    await new Promise((resolve) => offline.addEventListener("change", resolve, { once: true }));
  }
}

/** Has a worker keep Python's memory on this device, if it is not there, so that the next start is shorter. */
async function keepMemory() {
  const { bytesKept } = await import("./python/memory.mjs");
  if (!(await bytesKept())) {
    await pause(CALM);
    if (registration.installing || registration.waiting) return; // the next release has its own
    await navigator.locks.request(`tinytorch:${ROOT.pathname}:snapshot`, { ifAvailable: true }, makeSnapshot);
  }
  show({ memory: await bytesKept() });
}

async function makeSnapshot(lock) {
  const { quota, usage } = (await navigator.storage?.estimate?.()) ?? {};
  if (!lock || navigator.deviceMemory < LITTLE_MEMORY || quota - usage < SNAPSHOT) return;
  const worker = new Worker(new URL("python/snapshot-maker.mjs", ROOT), { type: "module", name: "snapshot" });
  const error = await new Promise((resolve) => {
    worker.onmessage = ({ data }) => resolve(data.error);
    worker.onerror = ({ message }) => resolve(message || "the worker did not start");
    setTimeout(resolve, MAKING, "the worker gave no answer");
  });
  worker.terminate();
  if (error) console.warn("the next start of Python will take as long as this one:", error);
}

// ---- updates -----------------------------------------------------------------------------------

/** Asks the server for a new release, once an hour at most; without a network nothing changes. */
async function lookForUpdate(since = HOUR) {
  if (Date.now() - lastLook < since) return;
  lastLook = Date.now();
  try {
    await registration.update();
  } catch {
    lastLook = 0; // not reached: the next occasion counts
  }
  follow();
}

/** A release whose download broke off is asked for again: what is here already is not downloaded twice. */
function watchInstall() {
  const worker = registration.installing;
  if (!worker || !registration.active) return;
  worker.addEventListener("statechange", async () => {
    follow();
    if (worker.state !== "redundant" || registration.waiting || registration.installing) return;
    await pause(AGAIN);
    lookForUpdate(0);
  });
  follow();
}

async function save() {
  const commands = window.jupyterapp?.commands;
  if (commands?.isEnabled("docmanager:save-all")) await commands.execute("docmanager:save-all");
}

/** Lets the new release take over now: all pages of the course save and load again, kernels start anew. */
export async function applyUpdate() {
  const { waiting } = registration ?? {};
  if (!waiting) return;
  siblings.postMessage("load again after the switch");
  saved = save();
  await saved;
  waiting.postMessage({ type: "activate" });
}

const siblings = new BroadcastChannel(`tinytorch:${ROOT.pathname}:update`);
siblings.onmessage = () => {
  saved = save();
};

// ---- start -------------------------------------------------------------------------------------

/** JupyterLite unregisters every worker of the host on its first visit and after its own updates; ours stay. */
function keepFromJupyterLite() {
  try {
    localStorage.setItem(`${SCRIPT}-version`, JUPYTERLITE);
  } catch {
    return; // no storage: then no worker either
  }
}

async function begin() {
  if (!isSecureContext) return show({ supported: false, reason: NO_SUPPORT.insecure });
  const container = navigator.serviceWorker;
  if (!container) return show({ supported: false, reason: NO_SUPPORT.missing });
  keepFromJupyterLite();
  try {
    registration = await container.register(SCRIPT);
  } catch (error) {
    console.warn(error);
    const existing = await container.getRegistration(ROOT.href).catch(() => undefined); // the server may be gone
    if (!existing) return show({ supported: false, reason: NO_SUPPORT.refused });
    registration = existing;
  }
  const first = registration.active ? null : registration.installing;
  first?.addEventListener("statechange", () => {
    if (first.state === "redundant") show({ failed: NOT_BEGUN });
  });
  await container.ready;
  if (!container.controller) registration.active.postMessage({ type: "claim" }); // after a reload past the worker
  container.addEventListener("controllerchange", () => {
    saved?.finally(() => location.reload()); // without a save this is no switch that anybody asked for
  });
  addEventListener("beforeunload", () => container.controller?.postMessage({ type: "leaving" }));
  registration.addEventListener("updatefound", watchInstall);
  watchInstall();
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "visible") lookForUpdate();
  });
  addEventListener("online", resume);
  await follow();
  lookForUpdate();
  afterwards = idle()
    .then(downloadInTheBackground)
    .then(complete)
    .then(keepMemory);
}

/** Resolves when the page has done all that it does in the background for the next visit. */
export async function settled() {
  await registering;
  await afterwards;
}

/** Goes on with a download that failed. */
async function resume() {
  if (offline.state.failed && !offline.state.complete) await downloadInTheBackground();
}

/** Registers the service worker; resolves when it is there, or when it is clear that there will be none. */
export function register() {
  registering ??= begin();
  return registering;
}

register();
