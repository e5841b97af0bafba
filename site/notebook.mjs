// The course in the notebook page: the bar, the start, messages, Stop. Each part works alone.

import "./drive.mjs";
import { facts, panel } from "./notebook-app.mjs";
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

/** The tab keeps the lesson's name, whatever the app calls itself. */
function nameTab() {
  const lesson = document.getElementById("tinytorch-start-title")?.textContent;
  if (!lesson) return;
  const title = `${lesson} - TinyTorch`;
  const keep = () => {
    if (document.title !== title) document.title = title;
  };
  new MutationObserver(keep).observe(document.querySelector("title"), { childList: true });
  keep();
}

async function sayOutcome() {
  await panel;
  if (!lesson.outcome) return;
  const { text, copy } = lesson.outcome;
  say("lesson", text, { actions: copy ? [{ label: "Open the earlier notebook", href: copy, target: "_blank" }] : [] });
}

nameTab();
const parts = [followStart(slim), followProgress()];
if (Object.keys(facts.lessons).length > 0) parts.push(takeOverStop(), watchSaves(), sayWhetherKept(), sayOutcome(), followResets());
for (const part of parts) Promise.resolve(part).catch(console.error);
