// A worker that makes the memory from which later starts of Python go on, and keeps it on the device.

import { bytesKept, keep } from "./memory.mjs";
import { fetchPack, OPTIONS, write } from "./packs.mjs";
import { loadPyodide } from "./pyodide.mjs";

/** Pyodide notes the packages it finds when it starts, outside its memory: it must find none. */
const isPackageList = ([name]) => name.includes(".dist-info/");

async function make() {
  const files = (await Promise.all(["library", "course"].map(fetchPack))).flat();
  const fsInit = async (FS) => write(FS, files.filter((file) => !isPackageList(file)));
  const python = await loadPyodide({ ...OPTIONS, _makeSnapshot: true, fsInit });
  write(python.FS, files.filter(isPackageList));
  const names = JSON.stringify(JSON.stringify(files.map(([name]) => name)));
  python.runPython(`import tinytorch_page; tinytorch_page.before_snapshot(${names})`);
  await keep(python.makeMemorySnapshot());
}

const made = (await bytesKept()) ? Promise.resolve() : make(); // another page may have been first
made.then(
  () => postMessage({ error: "" }),
  (error) => postMessage({ error: String(error) }),
);
