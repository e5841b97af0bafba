// Work that was reset, brought back or imported on the map while this notebook is open.

import { panel, path, restartPython, workChanged } from "./notebook-app.mjs";
import { say } from "./notebook-messages.mjs";

const exerciseOf = (cell) => cell.getMetadata?.("tinytorch")?.exercise ?? "";

/** What was typed and not yet saved in cells that the change does not concern: {cell id: source}. */
function unsavedSources(model, exercises) {
  if (!model.dirty) return new Map();
  const cells = [...model.cells].filter((cell) => !exercises.includes(exerciseOf(cell)));
  const others = cells.some((cell) => exerciseOf(cell));
  return new Map(others ? cells.map((cell) => [cell.id, cell.sharedModel.getSource()]) : []);
}

async function reload(exercises) {
  const { context } = await panel;
  const kept = unsavedSources(context.model, exercises);
  await context.revert();
  for (const cell of context.model.cells) {
    const source = kept.get(cell.id);
    if (source !== undefined && source !== cell.sharedModel.getSource()) cell.sharedModel.setSource(source);
  }
}

async function restart() {
  say("reset", "Python is restarting with your answers as they are now.", { dismiss: false });
  await restartPython();
}

export function followResets() {
  const channel = new BroadcastChannel("tinytorch");
  channel.onmessage = async ({ data }) => {
    if (data?.type !== "reset") return;
    const { exercises = [], notebooks = [] } = data;
    workChanged();
    if (notebooks.includes(path)) await reload(exercises);
    if (exercises.length === 0) return;
    say(
      "reset",
      "Your work was changed on the map. Python still has the answers from before until it is restarted; its variables are lost then.",
      { actions: [{ label: "Restart Python", run: restart }] },
    );
  };
}
