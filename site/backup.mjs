// Export and import: all of the student's work as one zip, and back. Loaded only when one of them is asked for.

import { freeName, isPristine, sameText } from "./change.mjs";
import { assemble } from "./splice.mjs";
import { documentText, laterThan, notebookModel, notebooks, readWork, SCHEMA, StorageError, WORK } from "./storage.mjs";
import { dateText, hasWork, isObject, listed, plural } from "./text.mjs";

const FORMAT = 1; // of the zip; a larger one is from a newer release
const RELEASE = "release.json";
const NOTEBOOKS = "notebooks/";
const MOST = 200e6; // bytes of a zip, or of one file in it: far more than a course's work
const TYPES = { // of the fields that this page and the kit rely on; others are kept as they are
  module: ["string"], status: ["string"], source: ["string", "null"], passed_source: ["string", "null"],
  attempts: ["number"], points: ["number"], of: ["number"], hints: ["number"], solution_seen: ["boolean"],
  given: ["boolean"], updated: ["string"], first_passed: ["string", "null"], seconds: ["number", "null"],
  peak_bytes: ["number", "null"], picture: ["string"], release: ["string"], recheck: ["string"],
};

/** A file that cannot be imported; the message is for the student. */
export class ImportError extends Error {
  name = "ImportError";
}

const pause = () => new Promise((resolve) => setTimeout(resolve)); // lets the page draw and answer
const bytesOf = (text) => new TextEncoder().encode(text);

async function json(address) {
  const response = await fetch(address);
  if (!response.ok) throw new Error(`${address}: ${response.status}`);
  return response.json();
}

// ---- export ------------------------------------------------------------------------------------

/** {name, blob, note} of the zip with everything; progress(fraction) is called on the way. */
export async function exportWork(course, progress = () => {}) {
  const [{ document, exercises, trouble }, stored, data, { Zip, ZipDeflate }] = await Promise.all([
    readWork(), notebooks(), json("skeleton.json"), import("./vendor/fflate.mjs"),
  ]);
  if (trouble) throw new StorageError(trouble, `the work is ${trouble}`);
  const { filled, missing } = await filledIn(course, exercises);
  const { files, leftOut } = assemble(data, exercises, filled);
  const now = new Date();
  const date = now.toISOString().slice(0, 10);
  const note = packageNote(missing, leftOut);
  const inside = {
    "README.txt": readme(course, dateText(now), note),
    [RELEASE]: `${JSON.stringify({ format: FORMAT, course: course.title, release: course.release, date: now.toISOString() }, null, 1)}\n`,
    [WORK]: documentText({ ...document, schema: SCHEMA }),
    ...named(stored, (path) => NOTEBOOKS + path, ({ content }) => `${JSON.stringify(withoutTrust(content), null, 1)}\n`),
    "package/pyproject.toml": data.project,
    ...named(files, (path) => `package/tinytorch/${path}`, (text) => text),
  };
  const blob = await zipped(inside, now, { Zip, ZipDeflate }, progress);
  return { name: `tinytorch-work-${date}.zip`, blob, note };
}

const named = (items, path, text) =>
  Object.fromEntries(Object.entries(items).map(([name, item]) => [path(name), text(item)]));

/** The reference's code of exercises that the student had filled in; `missing` are those the site has none of. */
async function filledIn(course, exercises) {
  const filled = {};
  const missing = [];
  for (const { notebook, exercises: list } of course.modules) {
    const names = list.map(({ name }) => name).filter((name) => exercises[name]?.given);
    if (names.length === 0) continue;
    const solutions = await json(`solutions/${notebook.replace(/\.ipynb$/, ".json")}`).catch(() => ({}));
    for (const name of names) {
      if (solutions[name]) filled[name] = solutions[name];
      else missing.push(name);
    }
  }
  return { filled, missing };
}

function packageNote(missing, leftOut) {
  const notes = [];
  if (missing.length > 0) {
    notes.push(`This site has no solutions at hand, so these filled-in exercises are empty in the package: ${missing.join(", ")}.`);
  }
  if (leftOut.length > 0) {
    notes.push(`The saved code of these exercises is not complete Python, so they are empty in the package: ${leftOut.join(", ")}.`);
  }
  return notes.join("\n");
}

function readme({ title, release }, date, note) {
  return `${title}: your work, exported on ${date} from release ${release}

To bring it back: open the course in any browser, choose "Import" under "Your work", and take this zip file.
What you have there stays; for each exercise the later answer is used.

notebooks/           your lessons as you left them, for Jupyter
tinytorch-work.json  your answers and results, exercise by exercise
package/             the framework you wrote, for Python 3.11 or newer:

    pip install ./package
    python -c "import tinytorch as torch; print(torch.__file__)"

Exercises that you have not written raise NotImplementedError.
${note ? `\n${note}\n` : ""}`;
}

function withoutTrust(notebook) {
  if (!Array.isArray(notebook?.cells)) return notebook;
  const cells = notebook.cells.map((cell) => {
    const { trusted, ...metadata } = cell.metadata ?? {};
    return trusted === undefined ? cell : { ...cell, metadata };
  });
  return { ...notebook, cells };
}

/** A zip of {path: text} in the order given; a pause between files keeps the page alive. */
async function zipped(files, mtime, { Zip, ZipDeflate }, progress) {
  const parts = [];
  let failure = null;
  const zip = new Zip((error, chunk) => {
    failure ??= error;
    if (chunk) parts.push(chunk);
  });
  const all = Object.entries(files);
  for (const [number, [path, text]] of all.entries()) {
    const entry = new ZipDeflate(path, { level: 6 });
    entry.mtime = mtime;
    zip.add(entry);
    entry.push(bytesOf(text), true);
    if (failure) throw failure;
    progress((number + 1) / all.length);
    if (number % 8 === 0) await pause();
  }
  zip.end();
  if (failure) throw failure;
  return new Blob(parts, { type: "application/zip" });
}

// ---- reading a zip -----------------------------------------------------------------------------

const NOT_OURS = "This is not a file that this page exported. Choose a file named like tinytorch-work-2026-11-22.zip.";
const DAMAGED = "The file is damaged or was not downloaded completely. Nothing was imported; try another copy of it.";
const NEWER = "The file is from a newer release of the course. Reload this page to get that release, then import it again.";

/** [{name, crc, size}] of the files in a zip, from the table at its end. */
function directory(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 4 || view.getUint16(0) !== 0x504b) throw new ImportError(NOT_OURS);
  let end = bytes.length - 22;
  while (end >= 0 && view.getUint32(end, true) !== 0x06054b50) end -= 1;
  if (end < 0) throw new ImportError(DAMAGED);
  const entries = [];
  let at = view.getUint32(end + 16, true);
  for (let left = view.getUint16(end + 10, true); left > 0; left -= 1) {
    if (at + 46 > bytes.length || view.getUint32(at, true) !== 0x02014b50) throw new ImportError(DAMAGED);
    const [length, extra, comment] = [28, 30, 32].map((offset) => view.getUint16(at + offset, true));
    const name = new TextDecoder().decode(bytes.subarray(at + 46, at + 46 + length));
    entries.push({ name, crc: view.getUint32(at + 16, true), size: view.getUint32(at + 24, true) });
    at += 46 + length + extra + comment;
  }
  return entries;
}

const CRC = Uint32Array.from({ length: 256 }, (_, n) => {
  let c = n;
  for (let bit = 0; bit < 8; bit += 1) c = c & 1 ? 0xedb88320 ^ (c >>> 1) : c >>> 1;
  return c >>> 0;
});

function crc32(bytes) {
  let c = 0xffffffff;
  for (const byte of bytes) c = CRC[(c ^ byte) & 0xff] ^ (c >>> 8);
  return (c ^ 0xffffffff) >>> 0;
}

const isTrick = (name) =>
  /[\\\u0000-\u001f]|^\/|^[A-Za-z]:/.test(name) || name.split("/").some((part) => part === ".." || part === ".");

/** {path: text} of what we read from a zip; a folder around everything, which some systems add, is taken off. */
async function unzipped(bytes) {
  const entries = directory(bytes);
  const names = entries.map(({ name }) => name).filter((name) => !name.startsWith("__MACOSX/"));
  const marks = names.filter((name) => name === RELEASE || /^[^/]+\/release\.json$/.test(name));
  if (marks.length !== 1) throw new ImportError(NOT_OURS);
  const folder = marks[0].slice(0, -RELEASE.length);
  if (names.some(isTrick)) {
    throw new ImportError("The file has names in it that lead out of its folder, so this page did not make it. Nothing was imported.");
  }
  const isWanted = (path) => path === RELEASE || path === WORK || (path.startsWith(NOTEBOOKS) && path.endsWith(".ipynb"));
  const wanted = entries.filter(({ name }) => name.startsWith(folder) && isWanted(name.slice(folder.length)));
  if (wanted.reduce((sum, { size }) => sum + size, 0) > MOST) throw new ImportError(tooBig());
  const { unzipSync } = await import("./vendor/fflate.mjs");
  const texts = {};
  try {
    const found = unzipSync(bytes, { filter: ({ name }) => wanted.some((entry) => entry.name === name) });
    for (const { name, crc } of wanted) {
      if (crc32(found[name]) !== crc) throw new ImportError(DAMAGED);
      texts[name.slice(folder.length)] = new TextDecoder("utf-8", { fatal: true }).decode(found[name]);
    }
  } catch (error) {
    throw error instanceof ImportError ? error : new ImportError(DAMAGED, { cause: error });
  }
  return texts;
}

const tooBig = () => `The file is larger than ${MOST / 1e6} MB, which no work of this course is. Nothing was imported.`;

function parsed(text, name) {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new ImportError(`${name} in the file is damaged. Nothing was imported; try another copy of the file.`, { cause: error });
  }
}

/** {exercises, books: {path: notebook}} of an exported file, checked. Throws ImportError. */
export async function readExport(file) {
  if (file.size > MOST) throw new ImportError(tooBig());
  const texts = await unzipped(new Uint8Array(await file.arrayBuffer()));
  const release = parsed(texts[RELEASE], RELEASE);
  if (!isObject(release) || !Number.isInteger(release.format) || texts[WORK] === undefined) throw new ImportError(NOT_OURS);
  const document = parsed(texts[WORK], WORK);
  if (release.format > FORMAT || document?.schema > SCHEMA) throw new ImportError(NEWER);
  if (!isObject(document) || !isObject(document.exercises)) throw new ImportError(DAMAGED);
  const books = {};
  for (const [path, text] of Object.entries(texts).filter(([name]) => name.startsWith(NOTEBOOKS))) {
    const book = parsed(text, path);
    if (!isObject(book) || book.nbformat !== 4 || !Array.isArray(book.cells) || !book.cells.every(isObject)) {
      throw new ImportError(`${path} in the file is not a notebook. Nothing was imported.`);
    }
    books[path.slice(NOTEBOOKS.length)] = withoutTrust(book); // its outputs are shown, but run nothing
  }
  return { exercises: validEntries(document.exercises), books };
}

const typeOf = (value) => (value === null ? "null" : typeof value);

/** Entries without the fields that have a wrong type, as the kit reads them. */
function validEntries(exercises) {
  const isValid = ([key, value]) => !Object.hasOwn(TYPES, key) || TYPES[key].includes(typeOf(value));
  return Object.fromEntries(
    Object.entries(exercises).filter(([name, entry]) => name !== "__proto__" && isObject(entry))
      .map(([name, entry]) => [name, Object.fromEntries(Object.entries(entry).filter(isValid))]),
  );
}

// ---- merging -----------------------------------------------------------------------------------

/** What two places know about one exercise, as `merged` in checks/work.py has it; a reset never beats an answer. */
export function mergedEntry(mine, theirs) {
  if (!hasWork(theirs)) return mine;
  if (!hasWork(mine)) return mine ? { ...theirs, updated: later(theirs, mine) } : theirs;
  const [late, early] = (theirs.updated ?? "") > (mine.updated ?? "") ? [theirs, mine] : [mine, theirs];
  const passes = [mine.first_passed, theirs.first_passed].filter(Boolean).sort();
  const entry = { ...early, ...late };
  for (const key of ["attempts", "hints"]) {
    if (key in mine || key in theirs) entry[key] = Math.max(mine[key] ?? 0, theirs[key] ?? 0);
  }
  if (mine.solution_seen || theirs.solution_seen) entry.solution_seen = true;
  if (passes.length > 0) entry.first_passed = passes[0];
  if (late.passed_source || early.passed_source) entry.passed_source = late.passed_source || early.passed_source;
  return entry;
}

/** A time at which kernels take `one` for newer than `other`. */
const later = (one, other) => ((one.updated ?? "") > (other.updated ?? "") ? one.updated : laterThan(other));

const sorted = (entry) => JSON.stringify(Object.entries(entry ?? {}).sort(([a], [b]) => (a < b ? -1 : 1)));

/** The step (see change.mjs) that brings in an export, with `said`: what came in, in words. */
export async function importStep({ exercises: theirs, books }, { exercises: mine, files }) {
  const entries = {};
  let same = 0;
  for (const [name, entry] of Object.entries(theirs)) {
    const merged = mergedEntry(mine[name], entry);
    if (!hasWork(entry)) continue;
    if (sorted(merged) === sorted(mine[name])) same += 1;
    else entries[name] = merged.updated === mine[name]?.updated ? { ...merged, updated: laterThan(mine[name]) } : merged;
  }
  const models = {};
  const aside = [];
  for (const [path, book] of Object.entries(books)) {
    const stored = files[path];
    const isHere = Object.values(files).some(({ path: other, content }) =>
      isCopy(other, path) && Array.isArray(content?.cells) && sameText(content, book));
    if (isHere) same += 1;
    else if (!stored || (await isPristine(stored))) models[path] = notebookModel(path, book, stored ?? null);
    else if (await isPristine({ path, content: book })) same += 1;
    else {
      const name = freeName(path, "imported", files);
      models[name] = notebookModel(name, book);
      aside.push(name);
    }
  }
  return { label: "import", entries, models, said: importText(entries, models, same, aside) };
}

/** Is `other` the notebook `path` itself, or one that an import put beside it? */
const isCopy = (other, path) =>
  other === path || other.startsWith(`${path.replace(/\.ipynb$/, "")} (imported`);

function importText(entries, models, same, aside) {
  const names = Object.keys(entries);
  const stones = names.filter((name) => name.startsWith("milestone ")).length;
  const counts = [[names.length - stones, "exercise"], [stones, "milestone"], [Object.keys(models).length, "notebook"]]
    .filter(([count]) => count > 0).map(([count, noun]) => plural(count, noun));
  const here = same > 0 ? `; ${same} already here` : "";
  const what = counts.length > 0 ? `Imported ${listed(counts)}${here}.` : "Nothing new in this file: all of it is already here.";
  const kept = aside.length > 0 ? ` Your own notebooks stay; the imported ones are beside them as ${listed(aside)}.` : "";
  return what + kept;
}
