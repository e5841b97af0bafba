// Where Python's memory is kept on the device between visits. It belongs to the very files that it was made from.

const KEY = "development"; // filled in by the build: a checksum of the files
const ADDRESS = new URL(`memory-${KEY}`, import.meta.url).href;
const CACHE = `tinytorch-memory:${new URL("../", import.meta.url).pathname}`; // several forks may share one host

const find = async () => globalThis.caches?.match(ADDRESS, { cacheName: CACHE });

/** The memory kept for these files as bytes; null if there is none. */
export async function memory() {
  const kept = await find();
  return kept ? new Uint8Array(await kept.arrayBuffer()) : null;
}

/** How many bytes are kept, 0 if there is no memory for these files. */
export async function bytesKept() {
  return Number((await find())?.headers.get("Content-Length") ?? 0);
}

/** Keeps a memory in place of any other. */
export async function keep(bytes) {
  await forget();
  const cache = await caches.open(CACHE);
  await cache.put(ADDRESS, new Response(bytes, { headers: { "Content-Length": bytes.length } }));
}

export const forget = () => caches.delete(CACHE);
