// The notebook app (JupyterLab's parts) as the other modules of the page see it.

export const site = new URL("./", import.meta.url).href;
export const facts = JSON.parse(document.getElementById("tinytorch-lessons")?.textContent ?? '{"lessons": {}}');
export const path = new URLSearchParams(location.search).get("path") ?? "";

/** Resolves with what `look` finds as soon as it finds something; it is asked at every change below the body. */
export function found(look) {
  return new Promise((resolve) => {
    const first = look();
    if (first) return resolve(first);
    const watcher = new MutationObserver(() => {
      const now = look();
      if (!now) return;
      watcher.disconnect();
      resolve(now);
    });
    watcher.observe(document.body, { childList: true, subtree: true });
  });
}

/** The app, once its parts can be used. */
export const app = found(() => globalThis.jupyterapp?.serviceManager && globalThis.jupyterapp);

/** The panel of the notebook, once its document has been read. */
export const panel = (async () => {
  const { shell } = await app;
  const widget = await found(() => shell.currentWidget?.context && shell.currentWidget.sessionContext && shell.currentWidget);
  await widget.context.ready;
  return widget;
})();

/** Saves the notebook if there is something to save; false when that failed (a message says so). */
export async function save() {
  const { context } = await panel;
  if (!context.model.dirty || context.model.readOnly) return true;
  try {
    await context.save();
  } catch (error) {
    console.warn("the notebook was not saved", error);
  }
  return !context.model.dirty;
}

/** Makes a link save the notebook before it leads away. Where saving fails the page stays: a second click leaves. */
export function leaving(link) {
  let failed = false;
  link.addEventListener("click", async (event) => {
    if (failed || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    if (!globalThis.jupyterapp?.shell?.currentWidget?.context?.model?.dirty) return;
    event.preventDefault();
    if (await save()) location.href = link.href;
    else failed = true;
  });
  return link;
}

/** The kernel of the notebook, or null. */
export const kernelOf = (widget) => widget.sessionContext.session?.kernel ?? null;

const RESTART_LIMIT = 30_000; // milliseconds after which the page is loaded anew instead

/** Ends the Python of this notebook, also in the middle of a cell; resolves when a new one answers. */
export async function restartPython() {
  const widget = await panel;
  await save();
  const kernel = kernelOf(widget);
  const limit = new Promise((resolve) => setTimeout(resolve, RESTART_LIMIT, false));
  if (!(await Promise.race([kernel.restart().then(() => true), limit]))) return location.reload();
  await kernel.requestIsComplete({ code: "None" }); // no cell: what Python has to say waits for the student's next one
}

/** Says that the work document was changed by something else than the app's contents manager. */
export const WORK_CHANGED = "tinytorch-work-changed";
export const workChanged = () => document.dispatchEvent(new Event(WORK_CHANGED));

export function element(tag, properties = {}, ...children) {
  const { dataset, ...plain } = properties;
  const made = Object.assign(document.createElement(tag), plain);
  Object.assign(made.dataset, dataset);
  made.append(...children);
  return made;
}
