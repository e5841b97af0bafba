// Answers the kernel when a file of the drive cannot be stored or read.
//
// A kernel asks the page for files through the service worker and waits for the answer. JupyterLite answers only what
// went well: when IndexedDB refuses (no room, no access), the kernel would wait for ever, and every cell with it. So
// this module notes which requests are open and answers those whose file failed, with the error in words.

const RELAY = "/sw-api.v1"; // JupyterLite's channel between service worker and pages
const METHODS = ["get", "save", "delete", "rename", "newUntitled"]; // what its answers are made of
const ANSWERED = ["get", "lookup"]; // requests that JupyterLite answers even then
const channel = new BroadcastChannel(RELAY);
const open = new Map(); // request id -> {path, method, browsingContextId}

channel.addEventListener("message", ({ data: message }) => {
  const { data, response, requestId, browsingContextId } = message ?? {};
  if (response !== undefined) open.delete(requestId);
  else if (data?.method && !ANSWERED.includes(data.method)) {
    open.set(requestId, { path: data.path, method: data.method, browsingContextId });
  }
});

/** Answers the open requests for a file with what went wrong, and how much room there is. */
async function refuse(path, error) {
  const { usage, quota } = (await navigator.storage?.estimate?.().catch(() => null)) ?? {};
  const pathname = "/api/stdin/"; // JupyterLite hears this too, and would take it for a request for a file
  const response = { error: `${error?.name ?? "Error"}: ${error?.message ?? error}`, usage, quota };
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
      try {
        return await original(...args);
      } catch (error) {
        const path = typeof args[0] === "string" ? args[0] : "";
        if (open.size > 0) refuse(path, error);
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
