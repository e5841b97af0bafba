// A new release with a changed lesson: decided before the app reads the notebook, so that nothing is ever overwritten.

import { facts, path, site } from "./notebook-app.mjs";
import { ask } from "./notebook-start.mjs";
import { notebookModel, notebooks, putFiles, textOf } from "./storage.mjs";

/** What the page says once the notebook is there: {text, copy}, copy being an address if there is one; or null. */
export let outcome = null;

const sourceOf = ({ source }) => (Array.isArray(source) ? source.join("") : (source ?? ""));
const exerciseOf = (cell) => (cell.cell_type === "code" ? (/^%%exercise[ \t]+(\S+)/.exec(sourceOf(cell))?.[1] ?? "") : "");
const isStub = (text) => /raise NotImplementedError\(.*is an exercise of module .*: not written yet/.test(text);
const stampOf = (book) => book?.metadata?.tinytorch ?? {};

// ---- what the student changed ------------------------------------------------------------------

async function hash(text) {
  const bytes = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)));
  return Array.from(bytes.subarray(0, 6), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/**
 * Is a cell as it was shipped? Its id is the start of a hash over the lesson, its place and its text, so that needs
 * no copy of the lesson. `place` is where to look first; the cells above may have been added or removed.
 */
async function isShipped(cell, lesson, place, count) {
  const text = sourceOf(cell);
  for (let away = 0; away < count + 20; away += 1) {
    for (const at of away ? [place - away, place + away] : [place]) {
      if (at >= 0 && (await hash(`${lesson} ${at} ${text}`)) === cell.id) return true;
    }
  }
  return false;
}

/** The cells that are not as they were shipped. Where the browser has no hash, exercises only: those that are no stub. */
export async function changedCells(book, lesson) {
  const hashed = Boolean(globalThis.crypto?.subtle);
  const changed = [];
  for (const [place, cell] of book.cells.entries()) {
    const same = hashed ? await isShipped(cell, lesson, place, book.cells.length) : !exerciseOf(cell) || isStub(sourceOf(cell));
    if (!same) changed.push(cell);
  }
  return changed;
}

const hasOutputs = (book) => book.cells.some(({ outputs }) => outputs?.length > 0);

// ---- the new lesson with the student's answers -------------------------------------------------

/** An answer under the new name of its exercise: the line that names it, and the definition's own name. */
export function renamed(source, before, after) {
  if (before === after) return source;
  const [old, now] = [before, after].map((name) => name.split(".").at(-1));
  return source
    .replace(/^(%%exercise[ \t]+)\S+/, (_, start) => start + after)
    .replace(new RegExp(`^([ \\t]*(?:async[ \\t]+)?(?:def|class)[ \\t]+)${old}\\b`, "m"), (_, start) => start + now);
}

/** The new lesson with the student's answers in the cells of the same exercises. */
export function carriedOver(fresh, changed, names = {}) {
  const answers = new Map();
  for (const cell of changed) {
    const before = exerciseOf(cell);
    if (!before || isStub(sourceOf(cell))) continue;
    const after = Object.hasOwn(names, before) ? names[before] : before;
    if (!answers.has(after)) answers.set(after, renamed(sourceOf(cell), before, after));
  }
  const cells = fresh.cells.map((cell) => {
    const answer = answers.get(exerciseOf(cell));
    return answer === undefined ? cell : { ...cell, source: answer };
  });
  return { ...fresh, cells };
}

/** A name for the copy that no file has: "01_tensor (before 0.2.0).ipynb". */
export function copyName(name, release, taken) {
  const stem = name.replace(/\.ipynb$/, "");
  for (let number = 1; ; number += 1) {
    const copy = `${stem} (before ${release}${number > 1 ? `, ${number}` : ""}).ipynb`;
    if (!taken.has(copy)) return copy;
  }
}

// ---- the decision ------------------------------------------------------------------------------

const QUESTION = (count) => [
  "This lesson has changed since you started it.",
  count > 0
    ? `The new one can take over your ${count === 1 ? "answer" : `${count} answers`}. Your earlier notebook then stays beside it as a copy, with everything you wrote or added. Solved exercises stay solved.`
    : "Your earlier notebook can stay beside the new one as a copy, with everything you wrote or added. Solved exercises stay solved.",
];
const CHOICES = [
  { label: "Take the new lesson", value: "new" },
  { label: "Keep mine", value: "mine" },
  { label: "Keep both", value: "both" },
];

/** Brings the stored copy of this page's lesson up to date, or asks. */
export async function prepare() {
  const [lesson, , digest] = facts.lessons[path] ?? [];
  if (!digest) return;
  const stored = await soon(notebooks());
  const model = stored?.[path];
  if (!model) return;
  const book = JSON.parse(textOf(model));
  const { lesson: from, kept } = stampOf(book);
  if (from === digest || kept === digest) return;
  const fresh = await shipped(digest);
  if (!fresh) return;
  const changed = await changedCells(book, lesson);
  if (changed.length === 0 && !hasOutputs(book)) return putFiles({ [path]: null });
  const next = carriedOver(fresh, changed, facts.renamed);
  const answers = next.cells.filter((cell, index) => cell !== fresh.cells[index]).length;
  const choice = await ask(QUESTION(answers), CHOICES);
  const mine = keptFor(book, digest);
  const copy = copyName(path, facts.release, new Set(Object.keys(stored)));
  try {
    if (choice === "mine") return await putFiles({ [path]: notebookModel(path, mine, model) });
    await putFiles({ [path]: notebookModel(path, next), [copy]: notebookModel(copy, mine) });
  } catch (error) {
    outcome = { text: `Your choice could not be stored (${error.message}). This is your notebook as it was; you are asked again next time.` };
    return;
  }
  const address = `${site}notebooks/index.html?path=${encodeURIComponent(copy)}`;
  outcome = { text: `This is the new lesson with your answers. Your earlier notebook is kept as “${copy}”.`, copy: address };
  if (choice === "both") open(address);
}

/** The notebook with the choice to keep it noted in its stamp. */
function keptFor(book, digest) {
  return { ...book, metadata: { ...book.metadata, tinytorch: { ...stampOf(book), kept: digest } } };
}

/** The lesson of this release; null while the server still has another one. */
async function shipped(digest) {
  const response = await fetch(`${site}files/${encodeURIComponent(path)}`, { cache: "no-cache" });
  if (!response.ok) return null;
  const book = await response.json();
  return stampOf(book).lesson === digest ? book : null;
}

/** A storage that does not answer must not hold up the lesson. */
function soon(promise) {
  return Promise.race([promise, new Promise((resolve) => setTimeout(resolve, 5000, null))]);
}
