// Starts Python in the kernel's worker as soon as the page opens, long before the notebook app asks for it.
// The app loads this module as it would load pyodide.mjs and finds the work done.

import { loadPyodide as loadRuntime, version } from "./pyodide.mjs";

export { version };

const HERE = new URL("./", import.meta.url);
const REST_AFTER = 5000; // milliseconds after the start
const LIBRARY = "/lib/python3.14/";
globalThis.tinytorchPacks = HERE.href; // where Python finds what it does not start with
const EMPTY_ZIP = "data:application/zip;base64,UEsFBgAAAAAAAAAAAAAAAAAAAAAAAA==";

// ---- what the page is told ---------------------------------------------------------------------

/** stage: "Python", "NumPy", "your work", "ready" or "failed"; fraction: of the whole start. */
function tell(stage, fraction, message = "") {
  postMessage({ tinytorch: { stage, fraction, message } });
}

// ---- files -------------------------------------------------------------------------------------

/** Python's files, unpacked as views of one buffer: {name: bytes}. See builder/bundle.py for the format. */
function unpack(buffer) {
  const length = new DataView(buffer).getUint32(0, true);
  const table = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  let offset = 4 + length;
  return table.map(([name, size]) => {
    const bytes = new Uint8Array(buffer, offset, size);
    offset += size;
    return [name, bytes];
  });
}

function write(FS, files) {
  const made = new Set();
  for (const [name, bytes] of files) {
    const path = LIBRARY + name;
    const folder = path.slice(0, path.lastIndexOf("/"));
    if (!made.has(folder)) FS.mkdirTree(folder);
    made.add(folder);
    FS.writeFile(path, bytes, { canOwn: true }); // no copy
  }
}

function gunzip(stream) {
  return new Response(stream.pipeThrough(new DecompressionStream("gzip"))).arrayBuffer();
}

async function fetchPack(name) {
  const response = await fetch(new URL(`${name}.bin`, HERE));
  if (!response.ok) throw new Error(`${name}.bin: the server answered ${response.status}`);
  return unpack(await gunzip(response.body));
}

/** The pack of the lesson that is open: the page names its module in the worker's address. */
function ofLesson() {
  const module = new URLSearchParams(self.location.search).get("module");
  return module ? [`module_${module}`] : [];
}

// ---- the start ---------------------------------------------------------------------------------

async function begin() {
  tell("Python", 0.05);
  const packs = ["start", ...ofLesson()].map(fetchPack);
  const python = await loadRuntime({
    indexURL: HERE.href,
    stdLibURL: EMPTY_ZIP, // the library is in the packs
    env: { HOME: "/home/pyodide" },
    fsInit: async (FS) => {
      for (const files of await Promise.all(packs)) write(FS, files);
      tell("Python", 0.3);
    },
  });
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
  tell("your work", 0.85);
  return python;
}

const started = begin();
started.catch((error) => tell("failed", 0, error.message));

async function fetchRest(python) {
  write(python.FS, await fetchPack("rest"));
  python.runPython("tinytorch_page.is_here('rest')");
}

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
      await run("pyodide_kernel.ipython_shell.extension_manager.load_extension('checks')");
      tell("ready", 1);
      setTimeout(() => fetchRest(python).catch(console.warn), REST_AFTER); // an import fetches it when this fails
    }
    return result;
  };
  return python;
}
