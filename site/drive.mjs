// Answers the kernel when a file of the drive cannot be stored or read.
//
// A kernel asks the page for files through the service worker and waits for the answer. JupyterLite answers only what
// went well: when IndexedDB refuses (no room, no access), the kernel would wait for ever, and every cell with it. So
// this module notes which requests are open and answers those whose file failed, with the error in words.
// In a cross-origin isolated page the kernel asks without the service worker and is told nothing of an error: it sees
// that the file is not as it should be, and then asks for a file of the name below, whose text is the last refusal.

const RELAY = "/sw-api.v1"; // JupyterLite's channel between service worker and pages
const METHODS = ["get", "save", "delete", "rename", "newUntitled"]; // what its answers are made of
const ANSWERED = ["get", "lookup"]; // requests that JupyterLite answers even then
const REFUSED = "tinytorch-refused.json"; // checks/work.py knows the name
const channel = new BroadcastChannel(RELAY);
const open = new Map(); // request id -> {path, method, browsingContextId}

channel.addEventListener("message", ({ data: message }) => {
  const { data, response, requestId, browsingContextId } = message ?? {};
  if (response !== undefined) open.delete(requestId);
  else if (data?.method && !ANSWERED.includes(data.method)) {
    open.set(requestId, { path: data.path, method: data.method, browsingContextId });
  }
});

let last = null; // promise of what was said at the last save that failed: {path, error, usage, quota}

/** What went wrong with a file, and how much room there is. */
async function refusal(path, error) {
  const { usage, quota } = (await navigator.storage?.estimate?.().catch(() => null)) ?? {};
  return { path, error: `${error?.name ?? "Error"}: ${error?.message ?? error}`, usage, quota };
}

async function asFile() {
  const moment = new Date().toISOString();
  const about = { name: REFUSED, path: REFUSED, type: "file", format: "text", mimetype: "application/json" };
  return { ...about, content: JSON.stringify(await last), writable: false, created: moment, last_modified: moment };
}

/** Answers the open requests for a file with the refusal. */
async function refuse(path, said) {
  const response = await said;
  const pathname = "/api/stdin/"; // JupyterLite hears this too, and would take it for a request for a file
  for (const [requestId, asked] of open) {
    if (asked.path !== path) continue;
    open.delete(requestId);
    channel.postMessage({ response, requestId, pathname, browsingContextId: asked.browsingContextId });
  }
}

/** Lets every failure of the app's file manager be known here; what it does and returns stays the same. */
export function watch(contents) {
  for (const method of METHODS) {
    const original = contents[method].bind(contents);
    contents[method] = async (...args) => {
      if (method === "get" && args[0] === REFUSED && last) return asFile();
      try {
        const answer = await original(...args);
        if (method === "save") last = null;
        return answer;
      } catch (error) {
        const path = typeof args[0] === "string" ? args[0] : "";
        const said = refusal(path, error);
        if (method === "save") last = said;
        if (open.size > 0) refuse(path, said);
        throw error;
      }
    };
  }
}

const waiting = setInterval(() => {
  const contents = window.jupyterapp?.serviceManager?.contents;
  if (!contents) return;
  clearInterval(waiting);
  watch(contents);
}, 20);
