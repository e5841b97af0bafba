// The student's work in this browser: the IndexedDB database in which JupyterLite keeps its drive.
// Reading never creates the database; writing creates it as JupyterLite would.

export const DATABASE = "TinyTorch";
export const STORE = "files"; // object store: path -> contents model
export const WORK = "tinytorch-work.json"; // the work document that the checking kit writes
export const SCHEMA = 1; // of the work document

const CHECKPOINTS = "checkpoints"; // object store: path -> list of contents models
// What localforage has made once all three stores of the drive were opened, and the version it then has.
const STORES = [STORE, "counters", CHECKPOINTS, "local-forage-detect-blob-support"];
const VERSION = 4;
const LOOK_AGAIN = 2000; // milliseconds; longer than a kernel takes between reading the document and writing it

/** Work that this page cannot read or must not write; `kind` is "damaged", "newer", "blocked" or "full". */
export class StorageError extends Error {
  constructor(kind, message, cause) {
    super(message, { cause });
    this.kind = kind;
  }
}

const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);

// ---- the database ------------------------------------------------------------------------------

function opened(name, version, upgrade) {
  return new Promise((resolve, reject) => {
    const request = version ? indexedDB.open(name, version) : indexedDB.open(name);
    request.onupgradeneeded = () => upgrade(request);
    request.onsuccess = () => {
      request.result.onversionchange = () => request.result.close(); // never hold up JupyterLite's own upgrade
      resolve(request.result);
    };
    request.onerror = (event) => {
      event.preventDefault();
      reject(request.error);
    };
  });
}

/** The database if it exists, else null. */
async function openExisting() {
  if (indexedDB.databases) {
    const databases = await indexedDB.databases().catch(() => null); // null: cannot tell, so try to open it
    if (databases && !databases.some(({ name }) => name === DATABASE)) return null;
  }
  let missing = false;
  try {
    return await opened(DATABASE, 0, (request) => {
      missing = true;
      request.transaction.abort(); // undoes the creation
    });
  } catch (error) {
    if (missing) return null;
    throw error;
  }
}

function addStores({ result }) {
  for (const name of STORES) if (!result.objectStoreNames.contains(name)) result.createObjectStore(name);
}

/** The database with all its stores, made or completed if need be. */
async function openForWriting() {
  const database = (await openExisting()) ?? (await opened(DATABASE, VERSION, addStores));
  if (STORES.every((name) => database.objectStoreNames.contains(name))) return database;
  const version = database.version + 1;
  database.close();
  return opened(DATABASE, version, addStores);
}

/** Resolves when the transaction is done; `body` may use only requests of the transaction. */
function done(transaction, body) {
  return new Promise((resolve, reject) => {
    let result;
    let failure = null;
    transaction.oncomplete = () => resolve(result);
    transaction.onabort = () => reject(failure ?? transaction.error);
    const stop = (error) => {
      failure = error;
      transaction.abort();
    };
    try {
      body((value) => { result = value; }, stop);
    } catch (error) {
      stop(error);
    }
  });
}

/** Runs `read(store)` on one object store; `empty` when the database or the store does not exist. */
async function reading(storeName, empty, read) {
  const database = await openExisting();
  if (!database) return empty;
  try {
    if (!database.objectStoreNames.contains(storeName)) return empty;
    const transaction = database.transaction(storeName);
    return await done(transaction, (finish) => read(transaction.objectStore(storeName), finish));
  } finally {
    database.close();
  }
}

/** Runs `write(files, checkpoints, finish, stop)` in one transaction. */
async function writing(write) {
  let database;
  try {
    database = await openForWriting();
    const transaction = database.transaction([STORE, CHECKPOINTS], "readwrite");
    const stores = [transaction.objectStore(STORE), transaction.objectStore(CHECKPOINTS)];
    return await done(transaction, (finish, stop) => write(...stores, finish, stop));
  } catch (error) {
    if (error instanceof StorageError || !(error instanceof DOMException)) throw error;
    if (error.name === "QuotaExceededError") {
      throw new StorageError("full", "There is no room left in this browser’s storage for this site.", error);
    }
    throw new StorageError("blocked", `This browser does not store the change (${error.name}).`, error);
  } finally {
    database?.close();
  }
}

// ---- contents models ---------------------------------------------------------------------------

const decode = (content) => new TextDecoder().decode(Uint8Array.from(atob(content), (c) => c.charCodeAt(0)));

function encode(text) {
  let binary = "";
  for (const byte of new TextEncoder().encode(text)) binary += String.fromCharCode(byte);
  return btoa(binary);
}

/** The content of a model as text: it may be text, base64 of text, or the parsed JSON. */
export function textOf({ content, format }) {
  if (typeof content !== "string") return JSON.stringify(content);
  return format === "base64" ? decode(content) : content;
}

/** A contents model as JupyterLite stores it. */
export function modelOf(path, content, { old = null, format, mimetype, type }) {
  const now = new Date().toISOString();
  const text = typeof content === "string" ? content : JSON.stringify(content);
  const size = new TextEncoder().encode(text).length;
  return {
    name: path.split("/").at(-1), path, created: now, writable: true, ...old,
    last_modified: now, format, mimetype, type, size,
    content: format === "base64" ? encode(text) : format === "json" && typeof content === "string" ? JSON.parse(text) : content,
  };
}

/** The model of a stored notebook. */
export function notebookModel(path, notebook, old = null) {
  return modelOf(path, notebook, { old, format: "json", mimetype: "application/json", type: "notebook" });
}

// ---- the work document -------------------------------------------------------------------------

/** The parsed document of a model; an empty one if there is none. Throws StorageError "damaged". */
function documentOf(model) {
  if (model === undefined || model === null) return { schema: SCHEMA, exercises: {} };
  let document;
  try {
    const text = textOf(model);
    if (!text.trim()) return { schema: SCHEMA, exercises: {} }; // a file that was created and not yet written
    document = JSON.parse(text);
  } catch (error) {
    throw new StorageError("damaged", "the work document is not JSON", error);
  }
  if (!isObject(document) || !isObject(document.exercises)) {
    throw new StorageError("damaged", "the work document has no exercises");
  }
  return document;
}

/** Text of a document as the kit writes it: ASCII only, so that no reader can get its encoding wrong. */
export function documentText(document) {
  const escape = (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
  return `${JSON.stringify(document, null, 1).replace(/[\u007f-\uffff]/g, escape)}\n`;
}

/** {document, exercises, trouble}: trouble is "", "blocked" or "damaged", and exercises is then empty. */
export async function readWork() {
  let model;
  try {
    model = await reading(STORE, undefined, (store, finish) => {
      store.get(WORK).onsuccess = ({ target }) => finish(target.result);
    });
  } catch {
    return { document: documentOf(null), exercises: {}, trouble: "blocked" };
  }
  try {
    const document = documentOf(model);
    return { document, exercises: document.exercises, trouble: "" };
  } catch (error) {
    if (!(error instanceof StorageError)) throw error;
    return { document: documentOf(null), exercises: {}, trouble: "damaged" };
  }
}

/** A time for the field `updated` that is later than the one an entry has, whatever the clock says. */
export function laterThan(entry) {
  const old = Date.parse(entry?.updated ?? "");
  return new Date(Math.max(Date.now(), Number.isNaN(old) ? 0 : old + 1)).toISOString();
}

function putWork(store, old, document) {
  const format = old?.format === "text" || old?.format === "json" ? old.format : "base64";
  const options = { old, format, mimetype: "application/json", type: "file" };
  store.put(modelOf(WORK, documentText(document), options), WORK);
}

function putModels(store, models) {
  for (const [path, model] of Object.entries(models)) {
    if (model === null) store.delete(path);
    else store.put(model, path);
  }
}

/**
 * Changes the work document, and in the same transaction files (see putFiles), or nothing at all.
 * Returns the new document. Rejects with a StorageError; a damaged or a newer document is never overwritten.
 */
export async function changeWork(change, models = {}, checkpoints = {}) {
  let before;
  const after = await writing((files, copies, finish, stop) => {
    files.get(WORK).onsuccess = ({ target }) => {
      try {
        before = documentOf(target.result);
        if (before.schema > SCHEMA) {
          throw new StorageError("newer", "Your work was saved by a newer release of this course. Reload the page to get it.");
        }
        const document = { ...change(structuredClone(before)), schema: SCHEMA, updated: new Date().toISOString() };
        putWork(files, target.result, document);
        putAll(files, copies, models, checkpoints);
        finish(document);
      } catch (error) {
        stop(error);
      }
    };
  });
  lookAgain(changedEntries(before.exercises, after.exercises));
  return after;
}

function changedEntries(before, after) {
  const isNew = ([name, entry]) => JSON.stringify(before[name]) !== JSON.stringify(entry);
  return Object.fromEntries(Object.entries(after).filter(isNew));
}

/** A kernel may have read the document before our change and written it after: then our entries are put back. */
function lookAgain(entries) {
  if (Object.keys(entries).length === 0) return;
  setTimeout(async () => {
    const { document, trouble } = await readWork();
    const lost = Object.entries(entries).filter(
      ([name, entry]) => (document.exercises[name]?.updated ?? "") < (entry.updated ?? ""),
    );
    if (trouble || lost.length === 0) return;
    await changeWork((found) => {
      const still = lost.filter(([name, entry]) => (found.exercises[name]?.updated ?? "") < (entry.updated ?? ""));
      return { ...found, exercises: { ...found.exercises, ...Object.fromEntries(still) } };
    });
  }, LOOK_AGAIN);
}

// ---- notebooks and other files -----------------------------------------------------------------

/** {path: model} of the stored files whose path `wanted` accepts. */
async function stored(storeName, wanted) {
  return reading(storeName, {}, (store, finish) => {
    const found = {};
    finish(found);
    store.openCursor().onsuccess = ({ target: { result: cursor } }) => {
      if (!cursor) return;
      if (typeof cursor.key === "string" && wanted(cursor.key)) found[cursor.key] = cursor.value;
      cursor.continue();
    };
  });
}

/** {path: model} of the stored notebooks. Those that the site ships and nobody opened are not among them. */
export function notebooks() {
  return stored(STORE, (path) => path.endsWith(".ipynb"));
}

/** {path: list of models}: JupyterLite's checkpoints of these paths. */
export function checkpointsOf(paths) {
  return stored(CHECKPOINTS, (path) => paths.includes(path));
}

function putAll(files, copies, models, checkpoints) {
  const gone = Object.fromEntries(Object.entries(models).filter(([, model]) => model === null));
  putModels(files, models);
  putModels(copies, { ...gone, ...checkpoints });
}

/** Stores {path: model}, all or nothing; null deletes a file and its checkpoints. */
export function putFiles(models, checkpoints = {}) {
  return writing((files, copies) => putAll(files, copies, models, checkpoints));
}

// ---- what the browser makes of it --------------------------------------------------------------

/** Bytes of what the student made: the work document and the notebooks, as text. */
async function usage() {
  const files = await stored(STORE, (path) => path === WORK || path.endsWith(".ipynb"));
  return Object.values(files).reduce((sum, model) => sum + textOf(model).length, 0);
}

/** Can this page store anything? Tried in a database of its own, which is removed again. */
async function canWrite() {
  const name = "TinyTorch probe";
  let database;
  try {
    database = await opened(name, 1, ({ result }) => result.createObjectStore("probe"));
    const transaction = database.transaction("probe", "readwrite");
    await done(transaction, () => transaction.objectStore("probe").put(1, 1));
    return true;
  } catch (error) {
    return error?.name === "QuotaExceededError"; // full is not blocked
  } finally {
    database?.close();
    if (database) indexedDB.deleteDatabase(name);
  }
}

/**
 * Does what is stored end with the window? No browser says so; what differs in a private window is:
 * in Firefox and Safari it has no private file system; in Chromium the quota is a part of the memory, not of the disk.
 */
async function isEphemeral(quota) {
  if (isSecureContext && navigator.storage?.getDirectory) {
    const failure = await navigator.storage.getDirectory().then(() => "", (error) => error?.name ?? "Error");
    if (failure) return true;
  }
  const heap = performance.memory?.jsHeapSizeLimit;
  return heap > 0 && quota > 0 && quota < 2 * heap;
}

/** {blocked, ephemeral, usage, quota, persisted, canPersist}. */
export async function storageState() {
  const manager = isSecureContext ? navigator.storage : undefined;
  const nothing = { blocked: true, ephemeral: false, usage: 0, quota: 0, persisted: false, canPersist: false };
  try {
    if (!globalThis.indexedDB || !(await canWrite())) return nothing;
    const [{ quota = 0 } = {}, persisted = false, used] = await Promise.all([
      manager?.estimate?.().catch(() => ({})), manager?.persisted?.().catch(() => false), usage(),
    ]);
    const ephemeral = !persisted && (await isEphemeral(quota));
    return { blocked: false, ephemeral, usage: used, quota, persisted, canPersist: Boolean(manager?.persist) };
  } catch {
    return nothing;
  }
}

/** Asks the browser to keep this site's data when the device runs short of space; whether it promised to. */
export async function askPersist() {
  if (!isSecureContext || !navigator.storage?.persist) return false;
  return navigator.storage.persist().catch(() => false);
}
