// The course in the notebook page: the bar, the start, messages, Stop. Each part works alone.

import { app, facts, panel } from "./notebook-app.mjs";
import { bar, followProgress, slim } from "./notebook-bar.mjs";
import { sayWhetherKept, watchSaves } from "./notebook-keep.mjs";
import * as lesson from "./notebook-lesson.mjs";
import { messages, say } from "./notebook-messages.mjs";
import { followResets } from "./notebook-reset.mjs";
import { followStart } from "./notebook-start.mjs";
import { takeOverStop } from "./notebook-stop.mjs";

const top = document.createElement("div");
top.id = "tinytorch-top";
top.append(bar, messages);
document.body.prepend(top);

/** The notebook begins where our part ends, however high that is. */
new ResizeObserver(() => {
  document.documentElement.style.setProperty("--tinytorch-top", `${top.offsetHeight}px`);
  dispatchEvent(new Event("resize")); // the app lays itself out again
}).observe(top);

async function nameTab() {
  const title = document.getElementById("tinytorch-start-title")?.textContent;
  await Promise.all([panel, (await app).restored]);
  if (title) document.title = `${title} - TinyTorch`;
}

async function sayOutcome() {
  await panel;
  if (!lesson.outcome) return;
  const { text, copy } = lesson.outcome;
  say("lesson", text, { actions: [{ label: "Open the earlier notebook", href: copy, target: "_blank" }] });
}

const parts = [nameTab(), followStart(slim), followProgress()];
if (Object.keys(facts.lessons).length > 0) parts.push(takeOverStop(), watchSaves(), sayWhetherKept(), sayOutcome(), followResets());
for (const part of parts) Promise.resolve(part).catch(console.error);
