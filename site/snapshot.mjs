// Python's memory after the first steps of a start, kept on the device: a later start goes on from there. It belongs to
// the very files that it was made from. What cannot be in it, compiled modules and the student's package, comes after it.

import createRuntime from "./pyodide.asm.mjs";

const KEY = "development"; // filled in by the build: a checksum of the files
const ADDRESS = new URL(`memory-${KEY}`, import.meta.url).href;
const CACHE = `tinytorch-memory:${new URL("../", import.meta.url).pathname}`; // several forks may share one host

/** The memory kept for these files as bytes; null if there is none. */
export async function snapshot() {
  const kept = await globalThis.caches?.match(ADDRESS, { cacheName: CACHE });
  return kept ? new Uint8Array(await kept.arrayBuffer()) : null;
}

/** Keeps a memory in place of any other. */
export async function keep(bytes) {
  await forget();
  const cache = await caches.open(CACHE);
  await cache.put(ADDRESS, new Response(bytes));
}

export const forget = () => caches.delete(CACHE);

/** Options with which `loadPyodide` goes on from a memory. */
export function restoring(bytes) {
  const { length } = bytes;
  return {
    _loadSnapshot: bytes,
    createPyodideModule: async (settings) => {
      const runtime = await createRuntime(settings);
      runtime._free(runtime._malloc(length)); // the heap must be large enough to take it
      return runtime;
    },
  };
}

/** Lets go of the bytes that Python went on from. */
export function forgetBytes(python) {
  delete python._api.config._loadSnapshot;
}
