// Changes of the student's work that the landing page makes: reset, import, and the undo of the last one.
// A change is described first ("step"), what it replaces is kept, and then it is stored as a whole.

import { changeWork, checkpointsOf, laterThan, notebookModel, notebooks, readWork, StorageError } from "./storage.mjs";
import { hasWork, isObject, milestoneKey, plural } from "./text.mjs";

const UNDO = "TinyTorch undo"; // a database of our own with one record
const TRIES = 3; // a kernel may save between reading and writing

let unsaved; // the record when there was no room for it: then it lasts as long as this page

// ---- the record of what the last change replaced -----------------------------------------------

function undoStore(mode, use) {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(UNDO, 1);
    request.onupgradeneeded = () => request.result.createObjectStore("records");
    request.onerror = () => reject(request.error);
    request.onsuccess = () => {
      const database = request.result;
      try {
        const transaction = database.transaction("records", mode);
        const asked = use(transaction.objectStore("records"));
        transaction.oncomplete = () => resolve(asked.result);
        transaction.onabort = () => reject(transaction.error);
      } catch (error) {
        reject(error);
      } finally {
        database.close(); // once its transactions are over
      }
    };
  });
}

/** Keeps a record; false when only this page has it, because storage is full. */
async function remember(record) {
  try {
    await undoStore("readwrite", (store) => store.put(record, "last"));
    unsaved = undefined;
    return true;
  } catch {
    unsaved = record;
    return false;
  }
}

async function forget() {
  unsaved = undefined;
  await undoStore("readwrite", (store) => store.delete("last"));
}

/** {label, when, ...} of the change that can be undone, or null. */
export async function lastChange() {
  if (unsaved) return unsaved;
  if (indexedDB.databases) {
    const databases = await indexedDB.databases().catch(() => []);
    if (!databases.some(({ name }) => name === UNDO)) return null;
  }
  return (await undoStore("readonly", (store) => store.get("last"))) ?? null;
}

// ---- making a change ---------------------------------------------------------------------------

/**
 * Makes a step {label, entries: {name: entry}, models: {path: model or null}} of what is stored, and keeps what
 * it replaces. `plan` gets {exercises, files} and returns the step; it is asked again when a kernel saved meanwhile.
 * Returns {step, kept}: kept is false when the undo will not survive a reload.
 */
export async function make(plan) {
  for (let tries = 1; ; tries += 1) {
    const [{ exercises, trouble }, files] = await Promise.all([readWork(), notebooks()]);
    if (trouble) throw new StorageError(trouble, `the work is ${trouble}`);
    const step = await plan({ exercises, files });
    const before = await lastChange();
    const kept = await remember(await recordOf(step, exercises, files));
    try {
      await store(step, exercises);
      announce(step);
      return { step, kept };
    } catch (error) {
      if (before) await remember(before);
      else await forget();
      if (!(error instanceof Overtaken) || tries === TRIES) throw error;
    }
  }
}

class Overtaken extends Error {}

function store({ entries, models, checkpoints = {} }, seen) {
  return changeWork((document) => {
    for (const name of Object.keys(entries)) {
      if (document.exercises[name]?.updated !== seen[name]?.updated) throw new Overtaken(name);
    }
    return { ...document, exercises: { ...document.exercises, ...entries } };
  }, models, checkpoints);
}

async function recordOf({ label, entries, models }, exercises, files) {
  const copies = await checkpointsOf(Object.keys(models));
  return {
    label,
    when: new Date().toISOString(),
    entries: Object.entries(entries).map(([name, { updated }]) => ({ name, updated, before: exercises[name] ?? null })),
    models: Object.entries(models).map(([path, model]) => ({
      path, saved: model?.last_modified ?? null, before: files[path] ?? null, checkpoints: copies[path] ?? null,
    })),
  };
}

/** Tells open notebook pages what is no longer what they show. */
function announce({ entries, models }) {
  const channel = new BroadcastChannel("tinytorch");
  channel.postMessage({ type: "reset", exercises: Object.keys(entries), notebooks: Object.keys(models) });
  channel.close();
}

// ---- undo --------------------------------------------------------------------------------------

/**
 * Brings back what the last change replaced. What was written since then is newer and stays: an exercise that
 * was answered again, and a notebook under another name. Returns a sentence about what came of it.
 */
export async function undo() {
  const record = await lastChange();
  if (!record) return "There is nothing to undo.";
  const [{ exercises, trouble }, files] = await Promise.all([readWork(), notebooks()]);
  if (trouble) throw new StorageError(trouble, `the work is ${trouble}`);
  const [untouched, answered] = parted(record.entries, ({ name, updated }) => exercises[name]?.updated === updated);
  const entries = Object.fromEntries(untouched.map(({ name, before }) => {
    const updated = laterThan(exercises[name]);
    return [name, before ? { ...before, updated } : emptied(exercises[name])];
  }));
  const [models, checkpoints, aside] = [{}, {}, []];
  for (const { path, saved, before, checkpoints: copies } of record.models) {
    const now = files[path] ?? null;
    if ((now?.last_modified ?? null) !== saved && now && !(await isPristine(now))) {
      if (!before) continue; // it came with the change, and was worked on since
      const name = freeName(path, "newer", files);
      models[name] = { ...now, name, path: name };
      aside.push(name);
    }
    models[path] = before;
    if (before && copies) checkpoints[path] = copies;
  }
  const step = { entries, models, checkpoints };
  await store(step, exercises);
  await forget();
  announce(step);
  const notes = [`Undone: ${record.label}.`];
  if (answered.length > 0) notes.push(`${plural(answered.length, "newer answer")} stayed.`);
  if (aside.length > 0) notes.push(`What was written since is in ${aside.join(", ")}.`);
  return notes.join(" ");
}

function parted(items, test) {
  return [items.filter(test), items.filter((item) => !test(item))];
}

/** An entry from which everything was taken: the kit knows it by the null, and that it is later. */
function emptied(entry) {
  return { ...(entry.module && { module: entry.module }), source: null, updated: laterThan(entry) };
}

// ---- notebooks ---------------------------------------------------------------------------------

const shipped = new Map();

/** The notebook as the site ships it, or null when it ships none of this name. Rejects without a connection. */
export async function shippedNotebook(path) {
  if (!shipped.has(path)) {
    const response = await fetch(`files/${path.split("/").map(encodeURIComponent).join("/")}`);
    if (!response.ok && response.status !== 404) throw new Error(`files/${path}: ${response.status}`);
    shipped.set(path, response.ok ? await response.json() : null);
  }
  return shipped.get(path);
}

export const sourceOf = ({ source }) => (Array.isArray(source) ? source.join("") : source ?? "");
const textsOf = ({ cells }) => cells.map((cell) => `${cell.cell_type}\n${sourceOf(cell)}`);

/** Do two notebooks have the same text? Outputs and metadata come from running it. */
export function sameText(one, other) {
  return JSON.stringify(textsOf(one)) === JSON.stringify(textsOf(other));
}

/** Is a stored notebook still as the site ships it? No, when that cannot be found out. */
export async function isPristine({ path, content }, name = path) {
  try {
    const original = await shippedNotebook(name);
    return original !== null && isObject(content) && Array.isArray(content.cells) && sameText(content, original);
  } catch {
    return false;
  }
}

/** "01_tensor (imported).ipynb", with a number where that is taken. */
export function freeName(path, word, files) {
  const stem = path.replace(/\.ipynb$/, "");
  const names = (n) => `${stem} (${word}${n > 1 ? ` ${n}` : ""}).ipynb`;
  let n = 1;
  while (Object.hasOwn(files, names(n))) n += 1;
  return names(n);
}

// ---- reset -------------------------------------------------------------------------------------

/**
 * The step that resets `target`: {kind: "exercise", module, name}, {kind: "module", module},
 * {kind: "milestone", milestone} or {kind: "all"}.
 */
export async function resetStep(target, { exercises, files }) {
  const names = namesOf(target, exercises).filter((name) => hasWork(exercises[name]));
  return {
    label: labelOf(target),
    entries: Object.fromEntries(names.map((name) => [name, emptied(exercises[name])])),
    models: await modelsAfter(target, files),
  };
}

export function labelOf({ kind, module, name, milestone }) {
  switch (kind) {
    case "exercise": return `reset of ${name}`;
    case "module": return `reset of module ${module.id}, ${module.title}`;
    case "milestone": return `reset of milestone ${milestone.id}, ${milestone.title}`;
    default: return "reset of everything";
  }
}

function namesOf({ kind, module, name, milestone }, exercises) {
  switch (kind) {
    case "exercise": return [name];
    case "module": return module.exercises.map((exercise) => exercise.name);
    case "milestone": return [milestoneKey(milestone)];
    default: return Object.keys(exercises);
  }
}

async function modelsAfter({ kind, module, name, milestone }, files) {
  if (kind === "all") return Object.fromEntries(Object.keys(files).map((path) => [path, null]));
  const path = (module ?? milestone).notebook;
  const stored = files[path];
  if (!stored) return {};
  if (kind !== "exercise") return { [path]: null };
  const isCell = (cell) => cell.metadata?.tinytorch?.exercise === name;
  const cells = stored.content?.cells ?? [];
  if (!cells.some(isCell)) return {};
  const stub = (await shippedNotebook(path))?.cells.find(isCell);
  if (!stub) return {};
  const fresh = (cell) => ({ ...cell, source: sourceOf(stub), outputs: [], execution_count: null });
  const notebook = { ...stored.content, cells: cells.map((cell) => (isCell(cell) ? fresh(cell) : cell)) };
  return { [path]: notebookModel(path, notebook, stored) };
}
