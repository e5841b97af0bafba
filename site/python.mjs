// Starts Python in the kernel's worker as soon as the page opens, long before the notebook app asks for it.
// The app loads this module as it would load pyodide.mjs and finds the work done.

import { readWork } from "../storage.mjs";
import { forget, memory } from "./memory.mjs";
import { fetchPack, HERE, OPTIONS, write } from "./packs.mjs";
import { loadPyodide as loadRuntime, version } from "./pyodide.mjs";
import { forgetBytes, restoring } from "./snapshot.mjs";

export { version };

globalThis.tinytorchPacks = HERE.href; // where Python finds what it does not start with

// ---- what the page is told ---------------------------------------------------------------------

/** stage: "Python", "NumPy", "your work", "ready" or "failed"; fraction: of the whole start. */
function tell(stage, fraction, message = "") {
  postMessage({ tinytorch: { stage, fraction, message } });
}

// ---- files -------------------------------------------------------------------------------------

/** The pack of the lesson that is open: the page names its module in the worker's address. */
function ofLesson() {
  const module = new URLSearchParams(self.location.search).get("module");
  return module ? [`module_${module}`] : [];
}

// ---- the student's work -------------------------------------------------------------------------

/** The work document as text; null where it cannot be read so simply: the kit knows what to do. */
async function readDocument() {
  const { document, trouble } = await readWork();
  return trouble ? null : JSON.stringify(document);
}

// ---- the start ---------------------------------------------------------------------------------

/** Python with its files: as it was kept on this device, else from its beginnings. */
async function loadRuntimeWith(packs) {
  const fsInit = async (FS) => {
    for (const files of await Promise.all(packs)) write(FS, files);
    tell("Python", 0.3);
  };
  const kept = await memory().catch(() => null);
  if (kept) {
    try {
      const python = await loadRuntime({ ...OPTIONS, ...restoring(kept), fsInit });
      forgetBytes(python);
      python.runPython("import tinytorch_page; tinytorch_page.restored()");
      return python;
    } catch (error) {
      console.warn("Python as it was kept on this device cannot be used:", error.message ?? error);
      await forget();
    }
  }
  return loadRuntime({ ...OPTIONS, fsInit });
}

async function begin() {
  tell("Python", 0.05);
  const document = readDocument().catch(() => null); // then it is read when the drive is there
  const packs = ["library", "course", ...ofLesson()].map(fetchPack);
  const starting = loadRuntimeWith(packs);
  await Promise.all(packs); // a pack that could not be had is the reason to name
  const python = await starting;
  if (globalThis.crossOriginIsolated) {
    const interrupts = new Int32Array(new SharedArrayBuffer(4));
    python.setInterruptBuffer(interrupts);
    postMessage({ tinytorch: { interrupts } });
  }
  tell("NumPy", 0.5);
  python.runPython("import tinytorch_page; tinytorch_page.watch()");
  for (const name of ofLesson()) python.runPython(`tinytorch_page.is_here("${name}")`);
  python.runPython("import numpy");
  tell("your work", 0.65);
  python.runPython("tinytorch_page.prepare()");
  tell("your work", 0.8);
  const text = await document;
  if (text !== null) python.globals.get("tinytorch_page").start_session(text);
  tell("your work", 0.9);
  return python;
}

const started = begin();
started.catch((error) => tell("failed", 0, error.message || error.type || String(error)));

/** What the app calls in place of Pyodide's own: gives it the Python that was started. */
export async function loadPyodide({ stdout, stderr } = {}) {
  const python = await started;
  if (stdout) python.setStdout({ batched: stdout });
  if (stderr) python.setStderr({ batched: stderr });
  const run = python.runPythonAsync.bind(python);
  python.runPythonAsync = async (code, ...rest) => {
    const result = await run(code, ...rest);
    if (code.includes("import pyodide_kernel")) { // the app's last step: the drive is there
      python.runPythonAsync = run;
      python.runPython("tinytorch_page.drive_is_here()");
      tell("ready", 1);
    }
    return result;
  };
  return python;
}
