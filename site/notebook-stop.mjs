// Stop: ends the running cell where that is possible, else offers to restart Python.

import { app, element, kernelOf, panel, restartPython } from "./notebook-app.mjs";
import { say } from "./notebook-messages.mjs";

const STOP = "notebook:interrupt-kernel";
const PATIENCE = 3000; // milliseconds for a cell to end after it was told to

const stage = () => globalThis.tinytorch?.stage ?? "ready";

/** Does a cell run? Python is also busy while it starts, but then there is nothing to stop. */
const isRunning = (widget) =>
  [...widget.content.model.cells].some((cell) => cell.executionState === "running") ||
  (stage() === "ready" && kernelOf(widget)?.status === "busy");

/** Resolves when no cell runs any more: true, or false after `limit` milliseconds. */
function idle(widget, limit) {
  const kernel = kernelOf(widget);
  return new Promise((resolve) => {
    const settle = (value) => {
      kernel.statusChanged.disconnect(look);
      clearTimeout(timer);
      resolve(value);
    };
    const look = () => !isRunning(widget) && settle(true);
    const timer = setTimeout(settle, limit, false);
    kernel.statusChanged.connect(look);
    look();
  });
}

let asking = null;

export async function stop() {
  const widget = await panel;
  if (!kernelOf(widget)) return;
  if (!isRunning(widget)) {
    say("stop", stage() === "ready" ? "No cell is running." : "Python is still starting; no cell is running.");
    return;
  }
  const told = globalThis.tinytorch?.interrupt?.() === true;
  if (told && (await idle(widget, PATIENCE))) return;
  asking ??= askToRestart(widget).finally(() => { asking = null; });
  await asking;
}

function askToRestart(widget) {
  const dialog = element(
    "dialog",
    { className: "tinytorch-dialog", ariaLabel: "Stop" },
    element("p", { textContent: "This cell does not answer. Restart Python?" }),
    element("p", { textContent: "Saved answers are loaded again; variables are lost." }),
  );
  const [yes, no] = ["Restart", "Wait"].map((textContent) => element("button", { type: "button", textContent }));
  dialog.append(element("div", {}, yes, no));
  document.body.append(dialog);
  return new Promise((resolve) => {
    const kernel = kernelOf(widget);
    const ended = () => !isRunning(widget) && dialog.close("ended"); // it has answered after all
    kernel.statusChanged.connect(ended);
    yes.addEventListener("click", () => dialog.close("restart"));
    no.addEventListener("click", () => dialog.close("wait"));
    dialog.addEventListener("keydown", (event) => event.stopPropagation()); // the notebook has keys of its own
    dialog.addEventListener("close", async () => {
      kernel.statusChanged.disconnect(ended);
      dialog.remove();
      if (dialog.returnValue === "restart") await restart(widget);
      resolve();
    });
    dialog.showModal();
    yes.focus();
  });
}

async function restart(widget) {
  say("stop", "Python is restarting. Saved answers are loaded again.", { dismiss: false });
  await restartPython();
  for (const cell of widget.content.model.cells) if (cell.executionState === "running") cell.executionState = "idle";
  say("stop", "Python was restarted and has your saved answers. Run the cells above to get their variables back.");
}

/** Every way to interrupt (toolbar, menu, the keys I, I) runs this command: JupyterLite's own does not end a cell. */
export async function takeOverStop() {
  const { commands } = await app;
  const execute = commands.execute.bind(commands);
  commands.execute = (id, args) => (id === STOP ? stop() : execute(id, args));
}
