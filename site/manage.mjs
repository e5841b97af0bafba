// "Your work" on the landing page: where it is kept, export, import, reset, undo, and the course offline.
// What the buttons do is in change.mjs and backup.mjs, which are loaded when a button is pressed.

import { askPersist, notebooks, readWork, storageState } from "./storage.mjs";
import { $, bytesText, dateText, hasWork, milestoneKey, plural, setText } from "./text.mjs";

const SLOW = 2000; // milliseconds after which progress is shown

let course;
let refresh; // draws the page anew from what is stored

/** Connects the buttons. `redraw` is called after every change. */
export function drawManage(data, redraw) {
  [course, refresh] = [data, redraw];
  $("persist").addEventListener("click", persist);
  $("export").addEventListener("click", () => working(exportAll));
  $("import").addEventListener("click", () => $("import-file").click());
  $("import-file").addEventListener("change", takeChosen);
  $("reset").addEventListener("click", openReset);
  $("reset-what").addEventListener("change", showExercises);
  $("reset-which").addEventListener("change", describeReset);
  $("reset-cancel").addEventListener("click", () => $("reset-dialog").close());
  $("reset-do").addEventListener("click", resetChosen);
  $("undo").addEventListener("click", () => working(undoLast));
  addEventListener("dragover", (event) => event.preventDefault());
  addEventListener("drop", takeDropped);
  connectOffline();
}

/** Shows the state of storage, and what can be undone. Returns the state. */
export async function showManage() {
  const [state] = await Promise.all([storageState(), showUndo()]);
  setText($("kept"), keptText(state));
  $("persist").hidden = state.persisted || !state.canPersist || state.blocked;
  return state;
}

function keptText({ blocked, ephemeral, usage, persisted }) {
  if (blocked) return "This browser does not let this page store anything, so no work can be kept.";
  if (ephemeral) return `Kept until this window is closed, ${bytesText(usage)}.`;
  const promise = persisted
    ? "The browser promised to keep it."
    : "The browser keeps it, unless this device runs short of space or you clear this site’s data.";
  return usage > 0 ? `Saved on this device, ${bytesText(usage)}. ${promise}` : "Nothing to save yet. Your work will be kept in this browser on this device.";
}

async function persist() {
  const kept = await askPersist();
  setText(
    $("persist-said"),
    kept
      ? "It promised: your work stays until you delete it yourself."
      : "It did not promise. Your work is usually kept all the same; export it now and then. Browsers promise it to " +
        "sites that are bookmarked, installed or visited often, so asking again later may help.",
  );
  await showManage();
}

// ---- doing something that may fail or take long ------------------------------------------------

const FAILURES = {
  full: "There is no room left in this browser’s storage for this site, so nothing was changed. Export your work, then free space: close and delete what other sites keep, or reset a module you have finished.",
  blocked: "This browser lets this page store nothing, so nothing was changed.",
  damaged: "The record of your work could not be read, so nothing was changed. Open a lesson first: it keeps a copy of the record and recovers what it can.",
  newer: "Your work was saved by a newer release of this course, so nothing was changed. Reload this page to get that release.",
};

/** Runs an action that returns a sentence; shows it, or why it failed, and progress when it takes long. */
async function working(action) {
  const bar = $("working");
  const slow = setTimeout(() => { bar.hidden = false; }, SLOW);
  setText($("said"), "");
  try {
    setText($("said"), await action((fraction) => { bar.value = fraction; }));
  } catch (error) {
    setText($("said"), failureText(error));
    if (!error.kind && error.name !== "ImportError") console.error(error);
  } finally {
    clearTimeout(slow);
    bar.hidden = true;
    bar.value = 0;
  }
  $("work-title").parentElement.querySelector(".outcome").scrollIntoView({ block: "nearest" });
  await refresh();
}

function failureText(error) {
  if (error.name === "ImportError") return error.message;
  if (FAILURES[error.kind]) return FAILURES[error.kind];
  if (error instanceof TypeError) return "A part of this site could not be read; is there a connection? Nothing was changed.";
  return `That did not work (${error.message}). Nothing was changed.`;
}

/** Offers a file for download. */
function download({ name, blob }) {
  const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(blob), download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

async function exportAll(progress) {
  const { exportWork } = await import("./backup.mjs");
  const file = await exportWork(course, progress);
  download(file);
  return `Exported ${file.name}, ${bytesText(file.blob.size)}. ${file.note}`.trim();
}

function takeChosen() {
  const [file] = $("import-file").files;
  if (file) working(() => importFile(file));
  $("import-file").value = ""; // the same file may be chosen again
}

function takeDropped(event) {
  event.preventDefault(); // else the browser opens the file in place of this page
  const [file] = event.dataTransfer?.files ?? [];
  if (file) working(() => importFile(file));
}

async function importFile(file) {
  const { importStep, readExport } = await import("./backup.mjs");
  const found = await readExport(file);
  const { make } = await import("./change.mjs");
  const { step, kept } = await make((stored) => importStep(found, stored));
  return step.said + undoNote(kept);
}

const undoNote = (kept) =>
  kept ? "" : " There is no room to keep what was there before, so Undo works only until this page is closed.";

// ---- undo --------------------------------------------------------------------------------------

async function showUndo() {
  const { lastChange } = await import("./change.mjs");
  const record = await lastChange().catch(() => null); // storage is blocked: there is nothing to undo
  $("undoing").hidden = !record;
  if (record) setText($("undo-said"), `Last change: ${record.label}, ${whenText(record.when)}.`);
}

function whenText(when) {
  const time = new Date(when).toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });
  return `${dateText(when)}, ${time}`;
}

async function undoLast() {
  const { undo } = await import("./change.mjs");
  const said = await undo();
  $("reset").focus(); // the button that was pressed goes away
  return said;
}

// ---- reset -------------------------------------------------------------------------------------

let stored; // {exercises, files} when the dialog was opened

async function openReset() {
  const [{ exercises, trouble }, files] = await Promise.all([readWork(), notebooks().catch(() => ({}))]);
  if (trouble) {
    setText($("said"), FAILURES[trouble]);
    return;
  }
  stored = { exercises, files };
  const group = (label, options) => {
    const element = Object.assign(document.createElement("optgroup"), { label });
    element.append(...options);
    return element;
  };
  const open = ({ notebook }) => notebook;
  $("reset-what").replaceChildren(
    group("Modules", course.modules.filter(open).map((m) => new Option(`${m.id} ${m.title}`, `module ${m.id}`))),
    group("Milestones", course.milestones.filter(open).map((m) => new Option(`${m.year} ${m.title}`, milestoneKey(m)))),
    group("All of it", [new Option("Everything", "all")]),
  );
  const current = course.modules.filter(open).findLast((module) => module.exercises.some(({ name }) => hasWork(exercises[name])));
  if (current) $("reset-what").value = `module ${current.id}`;
  showExercises();
  $("reset-dialog").showModal();
}

const chosenModule = () => course.modules.find(({ id }) => $("reset-what").value === `module ${id}`);

function showExercises() {
  const module = chosenModule();
  $("reset-which-line").hidden = !module;
  const options = (module?.exercises ?? []).map(({ name }) => {
    const { status, given } = stored.exercises[name] ?? {};
    const state = given ? "filled in" : status === "passed" ? "solved" : status;
    return new Option(state ? `${name} (${state})` : name, name);
  });
  $("reset-which").replaceChildren(new Option("The whole module", ""), ...options);
  describeReset();
}

function chosenTarget() {
  const module = chosenModule();
  if (module) {
    const name = $("reset-which").value;
    return name ? { kind: "exercise", module, name } : { kind: "module", module };
  }
  const milestone = course.milestones.find((one) => milestoneKey(one) === $("reset-what").value);
  return milestone ? { kind: "milestone", milestone } : { kind: "all" };
}

let described = 0;

/** Says what will go, and lets it be done once that is said, if there is something. */
async function describeReset() {
  const mine = ++described;
  $("reset-do").disabled = true;
  const { resetStep } = await import("./change.mjs");
  const target = chosenTarget();
  const step = await resetStep(target, stored).catch(() => null);
  if (mine !== described) return; // something else was chosen meanwhile
  $("reset-do").disabled = !step || isEmpty(step);
  setText($("reset-says"), step ? resetText(target, step) : "The lesson could not be read; is there a connection?");
}

const isEmpty = ({ entries, models }) => Object.keys(entries).length + Object.keys(models).length === 0;

function resetText(target, step) {
  if (isEmpty(step)) return "There is nothing to reset here: it is as it was at the beginning.";
  const { exercises } = stored;
  const names = Object.keys(step.entries);
  const solved = names.filter((name) => exercises[name].status === "passed").length;
  const paths = Object.keys(step.models);
  const undoable = "You can undo it until the next reset or import.";
  switch (target.kind) {
    case "exercise": {
      const parts = [names.length > 0 && `your answer to ${target.name} and its result`, paths.length > 0 && `what its cell in ${paths[0]} holds`];
      return `This deletes ${parts.filter(Boolean).join(", and ")}. ${undoable}`;
    }
    case "milestone":
      return `This deletes the recorded result of milestone ${target.milestone.id}${paths.length > 0 ? ` and your copy of ${paths[0]}` : ""}. ${undoable}`;
    default: {
      const noun = target.kind === "all" ? `${plural(names.length, "exercise")} and milestones` : plural(names.length, "exercise");
      const answers = names.length > 0 ? `what you did in ${noun} (${solved} passed)` : "";
      const books = paths.length > 0 ? `your ${paths.length === 1 ? `copy of ${paths[0]}` : `${paths.length} notebooks`}` : "";
      return `This deletes ${[answers, books].filter(Boolean).join(", and ")}, with all notes and outputs. ${undoable}`;
    }
  }
}

async function resetChosen() {
  const target = chosenTarget();
  $("reset-dialog").close();
  await working(async () => {
    const { labelOf, make, resetStep } = await import("./change.mjs");
    const { kept } = await make((now) => resetStep(target, now));
    const label = labelOf(target).replace(/^reset of /, "");
    return `${label[0].toUpperCase()}${label.slice(1)} is reset.${undoNote(kept)}`;
  });
}

// ---- offline -----------------------------------------------------------------------------------

async function connectOffline() {
  let module;
  try {
    module = await import("./offline.mjs");
  } catch (error) {
    console.error(error);
    $("offline").hidden = true;
    return;
  }
  const { applyUpdate, download: fetchAll, offline } = module;
  $("offline-button").addEventListener("click", () => fetchAll());
  const show = () => {
    showOffline(offline.state);
    showUpdate(offline.state.update, applyUpdate);
  };
  offline.addEventListener("change", show);
  show();
}

/** What the service worker says about the download, in words, with a bar and perhaps a button. */
export function offlineView({ supported, reason, total, done, complete, running, failed, memory }) {
  const part = total > 0 ? done / total : 0;
  const some = done > 0 ? `${bytesText(done)} of ${bytesText(total)}` : "";
  if (!supported) return { text: `The course cannot be kept for use without a connection here: ${reason}`, part: null, button: "" };
  const more = memory > 0 ? ` Another ${bytesText(memory)} let Python start sooner.` : "";
  if (complete) return { text: `Available offline, ${bytesText(total)}.${more}`, part: null, button: "" };
  if (running) return { text: `Downloading the course for use without a connection, ${bytesText(total)}.`, part, button: "" };
  if (failed) return { text: `The download stopped: ${failed}`, part: some ? part : null, button: "Try again" };
  if (some) return { text: `Partly available offline: ${some}.`, part, button: "Resume the download" };
  const size = total > 0 ? ` That is a download of ${bytesText(total)}.` : "";
  return { text: `The course can be kept on this device, so that it works anywhere.${size}`, part: null, button: "Make available offline" };
}

function showOffline(state) {
  const { text, part, button } = offlineView(state);
  setText($("offline-said"), text);
  $("offline-bar").hidden = part === null;
  $("offline-bar").value = part ?? 0;
  $("offline-button").hidden = !button;
  setText($("offline-button"), button);
}

function showUpdate(update, apply) {
  const line = $("update");
  if (!update?.ready) {
    line.replaceChildren();
    return;
  }
  if (line.childElementCount > 0) return;
  const button = Object.assign(document.createElement("button"), { type: "button", textContent: "Use it now" });
  button.addEventListener("click", () => apply());
  line.append("A new release of the course is ready; it is used when you next start. ", button);
}
