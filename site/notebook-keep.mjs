// What is said and done when this browser does not keep the student's work: storage switched off, ending with the
// window, or full.

import { app, element, facts, panel, path, save, site, workChanged } from "./notebook-app.mjs";
import { say, shown, unsay } from "./notebook-messages.mjs";
import { changeWork, storageState, textOf, WORK } from "./storage.mjs";

const BLOCKED =
  "This browser stores nothing for this page: site data is switched off, or the window is private. You can work, but " +
  "what you write is lost when the window closes. Allow site data for this address and reload, or export your work " +
  "before you close the window.";
const EPHEMERAL =
  "This looks like a private window. What you write is kept only until the window closes. Use an ordinary window, or " +
  "export your work before you close this one.";
const FULL =
  "The storage of this browser is full, so your work cannot be saved. Your last code is still in this page: keep it " +
  "open and export now. To make room, delete downloads or other files on this device, or other sites' data in the " +
  "browser's settings. This page keeps trying.";

/** Says before work starts that it will not be kept. */
export async function sayWhetherKept() {
  const { blocked, ephemeral } = await storageState();
  if (!blocked && !ephemeral) return;
  const actions = [{ label: "Export now", run: exportNow }, { label: "Export on the map", href: site }];
  say("storage", blocked ? BLOCKED : EPHEMERAL, { kind: "trouble", actions });
}

// ---- a full storage ----------------------------------------------------------------------------

const unsaved = new Map(); // path -> {content, format} that could not be stored

/** Is this the browser saying that there is no room? */
export function isFull(error) {
  for (let one = error; one; one = one.cause) {
    if (one.name === "QuotaExceededError" || /quota ?exceeded/i.test(one.message ?? String(one))) return true;
  }
  return false;
}

/** JupyterLab shows no dialog of its own for an error of this name; our message has said it all. */
function silent(error) {
  return Object.assign(new Error("The storage is full.", { cause: error }), { name: "ModalCancelError" });
}

/** Watches every save of the page and of its kernel: both go through the same contents manager. */
export async function watchSaves() {
  const { contents } = (await app).serviceManager;
  const store = contents.save.bind(contents);
  contents.save = async (file, options) => {
    try {
      const model = await store(file, options);
      stored(file);
      return model;
    } catch (error) {
      if (!isFull(error)) throw error;
      notStored(file, options ?? {});
      throw file === path ? silent(error) : error; // the kernel gets the browser's own words
    }
  };
  const copy = contents.createCheckpoint.bind(contents);
  contents.createCheckpoint = async (file) => {
    try {
      return await copy(file);
    } catch (error) {
      if (!isFull(error)) throw error;
      return { id: "none", last_modified: new Date().toISOString() }; // the file is saved; only its older copy is not
    }
  };
}

function notStored(file, { content = "", format = "base64" }) {
  unsaved.set(file, { content, format });
  if (shown("full")) return;
  const actions = [{ label: "Export now", run: exportNow }, { label: "Try again", run: tryAgain }];
  say("full", FULL, { kind: "trouble", actions, dismiss: false });
}

function stored(file) {
  if (!unsaved.delete(file) || unsaved.size > 0) return;
  unsay("full");
  say("room", "There is room again. Your work is saved.");
}

async function tryAgain() {
  await save();
  if (unsaved.has(WORK)) await storeWork(textOf(unsaved.get(WORK)));
  return unsaved.size > 0;
}

/** Stores the entries of a work document that are later than what is stored by now. */
async function storeWork(text) {
  const { exercises } = JSON.parse(text);
  const later = (found) => Object.entries(exercises).filter(([name, entry]) => !(entry.updated < found[name]?.updated));
  try {
    await changeWork((found) => ({ ...found, exercises: { ...found.exercises, ...Object.fromEntries(later(found.exercises)) } }));
    stored(WORK);
    workChanged();
  } catch (error) {
    console.warn("the work document was not saved", error);
  }
}

// ---- export without storage --------------------------------------------------------------------

const bytesOf = (text) => new TextEncoder().encode(text);

/** The work document as text: the one that could not be stored, else the one that the page reads; "" without one. */
async function workText() {
  const { contents } = (await app).serviceManager;
  const waiting = unsaved.get(WORK);
  if (waiting) return textOf(waiting);
  const model = await contents.get(WORK, { content: true }).catch(() => null);
  return model ? textOf(model) : "";
}

const isJson = (text) => {
  try {
    return Boolean(JSON.parse(text));
  } catch {
    return false;
  }
};

/** Downloads this notebook as it stands on the screen and the work document, in a zip that the map can import. */
export async function exportNow() {
  const { context } = await panel;
  const work = await workText();
  const date = new Date().toISOString();
  const files = {
    "release.json": JSON.stringify({ format: 1, course: "TinyTorch", release: facts.release, date }, null, 1),
    [`notebooks/${path}`]: JSON.stringify(context.model.toJSON(), null, 1),
    [WORK]: isJson(work) ? work : JSON.stringify({ schema: 1, exercises: {} }),
    ...(work && !isJson(work) && { "damaged.txt": work }),
  };
  const url = URL.createObjectURL(zip(files));
  element("a", { href: url, download: `tinytorch-work-${date.slice(0, 10)}.zip` }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
  return true;
}

const CRC = Uint32Array.from({ length: 256 }, (_, index) => {
  let value = index;
  for (let bit = 0; bit < 8; bit += 1) value = value & 1 ? 0xedb88320 ^ (value >>> 1) : value >>> 1;
  return value;
});

function crc32(bytes) {
  let value = 0xffffffff;
  for (const byte of bytes) value = CRC[(value ^ byte) & 0xff] ^ (value >>> 8);
  return (value ^ 0xffffffff) >>> 0;
}

function record(...fields) {
  const view = new DataView(new ArrayBuffer(fields.reduce((sum, [size]) => sum + size, 0)));
  let at = 0;
  for (const [size, value] of fields) {
    if (size === 2) view.setUint16(at, value, true);
    else view.setUint32(at, value, true);
    at += size;
  }
  return new Uint8Array(view.buffer);
}

/** A zip file of {name: text}, stored without compression: it needs nothing that would have to be loaded first. */
export function zip(files) {
  const parts = [];
  const directory = [];
  const UTF8 = 0x0800;
  const DATE = 0x5c21; // 2026-01-01
  let offset = 0;
  const add = (...chunks) => {
    for (const chunk of chunks) {
      parts.push(chunk);
      offset += chunk.length;
    }
  };
  for (const [name, text] of Object.entries(files)) {
    const [label, bytes] = [bytesOf(name), bytesOf(text)];
    const common = [[2, 20], [2, UTF8], [2, 0], [2, 0], [2, DATE], [4, crc32(bytes)], [4, bytes.length], [4, bytes.length], [2, label.length], [2, 0]];
    directory.push([record([4, 0x02014b50], [2, 20], ...common, [2, 0], [2, 0], [2, 0], [4, 0], [4, offset]), label]);
    add(record([4, 0x04034b50], ...common), label, bytes);
  }
  const start = offset;
  for (const [head, label] of directory) add(head, label);
  const count = directory.length;
  add(record([4, 0x06054b50], [2, 0], [2, 0], [2, count], [2, count], [4, offset - start], [4, start], [2, 0]));
  return new Blob(parts, { type: "application/zip" });
}
