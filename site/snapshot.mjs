// How Python goes on from a memory that was kept after the first steps of a start. What cannot be in it, compiled modules
// and the student's package, comes after it.

import createRuntime from "./pyodide.asm.mjs";

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
