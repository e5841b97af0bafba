// Python's files for the page: packs of compiled modules, see builder/bundle.py for their format.

export const HERE = new URL("./", import.meta.url);
const LIBRARY = "/lib/python3.14/";

/** What `loadPyodide` needs to find its files in packs instead of in its own archive. */
export const OPTIONS = {
  indexURL: HERE.href,
  stdLibURL: "data:application/zip;base64,UEsFBgAAAAAAAAAAAAAAAAAAAAAAAA==", // an empty one: the library is in the packs
  env: { HOME: "/home/pyodide" },
};

/** The files of a pack as views of one buffer: [[name, bytes]]. */
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

/** Writes files below the library. */
export function write(FS, files) {
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

/** Fetches a pack and unpacks it. */
export async function fetchPack(name) {
  const response = await fetch(new URL(`${name}.bin`, HERE));
  if (!response.ok) throw new Error(`${name}.bin: the server answered ${response.status}`);
  return unpack(await gunzip(response.body));
}
