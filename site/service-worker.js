"use strict";
// The service worker of the site: keeps one whole release on the student's device and serves it with or without a
// network. It has JupyterLite's name and does JupyterLite's work too: the kernel's drive and its stdin.

const RELEASE = "development"; // these two lines are filled in by the build: a new release is a new script
const MANIFEST = "development"; // sha256 of precache.json, which names every file of the release with its sha256

const ROOT = new URL("./", location.href);
const FAMILY = `tinytorch:${ROOT.pathname}:`; // several forks may share one host
const CACHE = FAMILY + RELEASE;
const AT_A_TIME = 4;
const MOMENT = 3000; // milliseconds between the word that a page is being left and the request for the next one
const SWITCH = 10_000; // milliseconds for the next release to take over; then this one goes on
const SWITCH_DELAY = 300;
const KERNEL_CHANNEL = new BroadcastChannel("/sw-api.v1");
const HEARTBEAT = "/api/service-worker-heartbeat"; // asked at the root of the host, wherever the site is
const COMPLETE_LISTS = ["api/", "files/"]; // the manifest knows all of it: anything else is absent, network or not

// With these the page is cross-origin isolated: Python can be interrupted, and has fine clocks. "credentialless" lets a
// student's notebook show pictures from other sites; Safari only knows the strict form.
const EMBEDDER = /Chrome\/|Chromium\/|Firefox\//.test(navigator.userAgent) ? "credentialless" : "require-corp";
const ISOLATION = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": EMBEDDER,
  "Cross-Origin-Resource-Policy": "same-origin",
};

class Wrong extends Error {} // what the server has is not the file of this release

// ---- paths -------------------------------------------------------------------------------------

/** The URL of a file of the site. */
const at = (path) => new URL(encodeURI(path).replace(/[?#]/g, encodeURIComponent), ROOT).href;

/** The file of the site that a URL below the root means, whatever its query. */
function pathOf(url) {
  const path = decodeURIComponent(new URL(url).pathname.slice(ROOT.pathname.length));
  return path === "" || path.endsWith("/") ? `${path}index.html` : path;
}

// ---- the release -------------------------------------------------------------------------------

let opening = null;

/** The release: {cache, files: Map by path, stored: Set of paths, start: paths of the start set}. */
function release() {
  opening ??= openRelease().catch((error) => {
    opening = null;
    throw error;
  });
  return opening;
}

async function openRelease() {
  const cache = await caches.open(CACHE);
  let list = await cache.match(at("precache.json"));
  if (!list) {
    list = await obtain({ url: "precache.json", sha256: MANIFEST }, [fromNetwork, pastTheHttpCache]);
    await cache.put(at("precache.json"), list.clone());
  }
  const { files } = await list.json();
  const known = new Map(files.map((file) => [file.url, file]));
  const stored = (await cache.keys()).map((request) => pathOf(request.url)).filter((path) => known.has(path));
  return { cache, files: known, stored: new Set(stored), start: files.filter((file) => file.start) };
}

/** Other releases of this site in this browser: [{name, cache, files: Map by path, stored: Set of paths}]. */
async function otherReleases() {
  const found = [];
  for (const name of await caches.keys()) {
    if (!name.startsWith(FAMILY) || name === CACHE) continue;
    const cache = await caches.open(name);
    const list = await cache.match(at("precache.json"));
    const files = list ? (await list.json()).files : [];
    const stored = new Set((await cache.keys()).map((request) => pathOf(request.url)));
    found.push({ name, cache, files: new Map(files.map((file) => [file.url, file])), stored });
  }
  return found;
}

const holds = ({ stored }, files) => files.every((file) => stored.has(file.url));

// ---- getting files -----------------------------------------------------------------------------

const arriving = new Map(); // path -> bytes that have come, of a download that is on its way
const pending = new Map(); // path -> promise that the file is stored
let older = null;

const fromNetwork = (file) => fetch(at(file.url));

/** The query gets past caches between us and the server; a static server ignores it. */
const pastTheHttpCache = (file) => fetch(`${at(file.url)}?${file.sha256.slice(0, 16)}`, { cache: "reload" });

async function fromOlderRelease(file) {
  older ??= otherReleases();
  for (const { cache, files } of await older) {
    if (files.get(file.url)?.sha256 !== file.sha256) continue;
    const response = await cache.match(at(file.url));
    if (response) return response;
  }
  return null;
}

/** The body, read piece by piece, so that the progress of a large file shows. */
async function read(response, path) {
  if (!response.body) return response.arrayBuffer(); // an empty file out of a cache
  const pieces = [];
  const reader = response.body.getReader();
  for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
    pieces.push(piece.value);
    arriving.set(path, (arriving.get(path) ?? 0) + piece.value.length);
  }
  return new Blob(pieces).arrayBuffer();
}

async function sha256(body) {
  const bytes = new Uint8Array(await crypto.subtle.digest("SHA-256", body));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** The file from the first source that has it with the right checksum, ready to be stored and served. */
async function obtain(file, sources) {
  for (const source of sources) {
    const response = await source(file);
    if (!response?.ok) continue;
    const body = await read(response, file.url).finally(() => arriving.delete(file.url));
    if ((await sha256(body)) !== file.sha256) continue;
    const type = response.headers.get("Content-Type") ?? "application/octet-stream";
    return new Response(body, { headers: { "Content-Type": type, "Content-Length": body.byteLength, ...ISOLATION } });
  }
  throw new Wrong(file.url);
}

/** Stores a file unless it is stored; a second caller shares the download of the first. */
function store({ cache, stored }, file, sources) {
  if (!pending.has(file.url)) {
    const work = obtain(file, sources)
      .then((response) => cache.put(at(file.url), response))
      .then(() => stored.add(file.url))
      .finally(() => pending.delete(file.url));
    pending.set(file.url, work);
  }
  return pending.get(file.url);
}

const EVERYWHERE = [fromOlderRelease, fromNetwork, pastTheHttpCache];

// ---- the download ------------------------------------------------------------------------------

let downloading = null;
let failed = "";

function reasonOf(error) {
  if (error?.name === "QuotaExceededError") return "This browser has no room left for the course.";
  if (error instanceof TypeError) return "The server cannot be reached.";
  return `The download stopped: ${error}`;
}

/** Stores what is missing of `files`, in their order; a file that the server has in another form is left out. */
async function fetchMissing(here, files) {
  const queue = files.filter((file) => !here.stored.has(file.url));
  const wrong = [];
  const worker = async () => {
    for (let file = queue.shift(); file; file = queue.shift()) {
      try {
        await store(here, file, EVERYWHERE);
      } catch (error) {
        if (error instanceof Wrong) {
          wrong.push(file.url);
          continue;
        }
        queue.length = 0;
        throw error;
      }
    }
  };
  await Promise.all(Array.from({ length: AT_A_TIME }, worker));
  if (wrong.length > 0) throw new Wrong(wrong.join(", "));
}

/** Downloads everything that is missing; a call while a download runs joins it. */
function download() {
  failed = "";
  downloading ??= release()
    .then((here) => fetchMissing(here, [...here.files.values()]))
    .catch((error) => {
      console.warn(error);
      failed = error instanceof Wrong ? `Not as in this release on the server: ${error.message}.` : reasonOf(error);
    })
    .finally(() => {
      downloading = null;
      older = null;
    });
}

const total = (files) => files.reduce((sum, { bytes }) => sum + bytes, 0);

/** What a page shows of this worker's release. */
async function state() {
  const { files, stored } = await release();
  const all = [...files.values()];
  const come = [...arriving.values()].reduce((sum, bytes) => sum + bytes, 0);
  const bytes = total(all);
  const complete = stored.size === files.size;
  const done = complete ? bytes : Math.min(bytes, total(all.filter(({ url }) => stored.has(url))) + come);
  return { release: RELEASE, total: bytes, done, complete, running: downloading !== null, failed };
}

// ---- answering ---------------------------------------------------------------------------------

const isNavigation = (request) => request.mode === "navigate";

function isolated(response) {
  if (response.type === "opaqueredirect" || response.type === "error") return response;
  const headers = new Headers(response.headers);
  for (const [name, value] of Object.entries(ISOLATION)) headers.set(name, value);
  if (headers.has("Content-Encoding")) {
    headers.delete("Content-Encoding"); // the body is decoded already
    headers.delete("Content-Length");
  }
  const { status, statusText } = response;
  return new Response(response.body, { status, statusText, headers });
}

function absent(path) {
  const body = JSON.stringify({ message: `There is no ${path}.` });
  return new Response(body, { status: 404, headers: { "Content-Type": "application/json", ...ISOLATION } });
}

/** What is shown when a file is neither here nor to be had. */
function unavailable(request, why) {
  const page = `<!doctype html><html lang="en"><meta charset="utf-8"><title>TinyTorch</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light dark">
<body style="font: 1rem/1.5 system-ui, sans-serif; max-width: 40rem; margin: 3rem auto; padding: 0 1rem">
<h1>This page is not here</h1><p>${why}</p><p><a href="${ROOT.pathname}">Back to the map of the course</a></p>`;
  const type = isNavigation(request) ? "text/html; charset=utf-8" : "text/plain; charset=utf-8";
  const headers = { "Content-Type": type, ...ISOLATION };
  return new Response(isNavigation(request) ? page : why, { status: 504, headers });
}

const UNREACHABLE = "The server cannot be reached, and this part of the course has not been downloaded to this device.";
const OTHER_RELEASE =
  "The server has another release of the course than this device. Close all pages of the course, then open it again.";

/** A release that can start a lesson answers by itself: all files come from it, or from nowhere. */
async function fromRelease(request, here, file) {
  const stored = await here.cache.match(at(file.url));
  if (stored) return stored;
  here.stored.delete(file.url);
  try {
    await store(here, file, EVERYWHERE);
  } catch (error) {
    return unavailable(request, error instanceof Wrong ? OTHER_RELEASE : UNREACHABLE);
  }
  return here.cache.match(at(file.url));
}

/** Before that the network answers, as if there were no worker, and what comes is kept if it is right. */
async function fromServer(event, here, file) {
  const { request } = event;
  const mine = () => (file ? here.cache.match(at(file.url)) : undefined);
  if (file && pending.has(file.url)) {
    await pending.get(file.url).catch(() => "the server is asked once more");
    const stored = await mine();
    if (stored) return stored;
  }
  let response;
  try {
    response = await fetch(request);
  } catch {
    return (await mine()) ?? unavailable(request, UNREACHABLE);
  }
  if (file && response.status === 200 && !here.stored.has(file.url) && !pending.has(file.url)) {
    const copy = response.clone();
    const kept = store(here, file, [() => copy, pastTheHttpCache]);
    event.waitUntil(kept.catch(() => "the download reports what is wrong"));
  }
  return isolated(response);
}

const leaving = new Map(); // id of a page -> when it said that it is being left
let switching = 0; // when the release that waits was told to take over

/** A release that waits is taken when a page is opened and no other stays open: a reload counts as a start. */
async function startsAnew(request) {
  if (!isNavigation(request) || !registration.waiting) return false;
  if (switching) return Date.now() - switching < SWITCH; // this is the page that was told to ask again
  const pages = await clients.matchAll({ type: "window" });
  if (!pages.every(({ id }) => Date.now() - (leaving.get(id) ?? 0) < MOMENT)) return false;
  switching = Date.now();
  // It is told once this request is answered: a worker with nothing to do gives way at once.
  setTimeout(() => registration.waiting?.postMessage({ type: "activate" }), SWITCH_DELAY);
  return true;
}

async function answer(event) {
  const { request } = event;
  if (await startsAnew(request)) {
    return new Response("", { headers: { Refresh: "1", "Content-Type": "text/html", ...ISOLATION } });
  }
  let here;
  try {
    here = await release();
  } catch {
    return fetch(request).then(isolated, () => unavailable(request, UNREACHABLE));
  }
  const path = pathOf(request.url);
  const file = here.files.get(path);
  if (!file && COMPLETE_LISTS.some((folder) => path.startsWith(folder))) return absent(path);
  if (file && holds(here, here.start)) return fromRelease(request, here, file);
  return fromServer(event, here, file);
}

// ---- JupyterLite's part: the kernel's synchronous requests, answered by the page that owns the kernel ------------

const isForThePage = (url) => url.pathname.includes("/api/drive") || url.pathname.includes("/api/stdin/");

async function askThePage(request, url) {
  const message = await request.json();
  message.requestId ??= crypto.randomUUID();
  message.pathname = url.pathname;
  const { browsingContextId, requestId } = message;
  const answered = new Promise((resolve) => {
    const listen = ({ data }) => {
      if (data.browsingContextId !== browsingContextId || data.requestId !== requestId) return;
      KERNEL_CHANNEL.removeEventListener("message", listen);
      resolve(new Response(JSON.stringify(data.response), { headers: ISOLATION }));
    };
    KERNEL_CHANNEL.addEventListener("message", listen);
  });
  KERNEL_CHANNEL.postMessage(message);
  return answered;
}

// ---- events ------------------------------------------------------------------------------------

/** A new release must be here as far as the one that it replaces: all of it, or what starts a lesson, or nothing. */
async function prepare() {
  const here = await release();
  const all = [...here.files.values()];
  const olds = (await otherReleases()).filter(({ files }) => files.size > 0);
  const has = (choose) => olds.some((old) => holds(old, [...old.files.values()].filter(choose)));
  if (has(() => true)) await fetchMissing(here, all);
  else if (has((file) => file.start)) await fetchMissing(here, here.start);
  older = null;
}

async function install() {
  const first = !registration.active;
  await prepare();
  if (first) await skipWaiting();
}

async function activate() {
  const others = await otherReleases();
  if (others.length === 0) await clients.claim(); // the first one: the page that brought it needs its drive
  if (registration.installing || registration.waiting) return; // their files are among the others
  await Promise.all(others.map(({ name }) => caches.delete(name)));
}

addEventListener("install", (event) => event.waitUntil(install()));
addEventListener("activate", (event) => event.waitUntil(activate()));

addEventListener("message", (event) => {
  const { type } = event.data ?? {};
  if (type === "activate") event.waitUntil(skipWaiting());
  if (type === "leaving") leaving.set(event.source.id, Date.now());
  if (type === "claim") event.waitUntil(clients.claim());
  if (type === "download") download();
  if (type === "state") {
    const [port] = event.ports;
    const answered = state().catch((error) => ({ failed: reasonOf(error) }));
    event.waitUntil(answered.then((now) => port.postMessage(now)));
  }
});

addEventListener("fetch", (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (url.origin !== location.origin) return;
  if (url.pathname === HEARTBEAT) event.respondWith(new Response("ok", { headers: ISOLATION }));
  else if (request.method === "POST" && isForThePage(url)) event.respondWith(askThePage(request, url));
  else if (request.method === "GET" && url.pathname.startsWith(ROOT.pathname)) event.respondWith(answer(event));
});
