// The slim bar of the notebook page: back to the map, where you are, how far you are, what comes next.

import { app, element, facts, leaving, panel, path, site, WORK_CHANGED } from "./notebook-app.mjs";
import { readWork, WORK } from "./storage.mjs";

const linkTo = (notebook) => `${site}notebooks/index.html?path=${encodeURIComponent(notebook)}`;
const nameOf = (item) => (item.year ? `Milestone ${item.id}` : item.id);

export const slim = element("p", { id: "tinytorch-starting", role: "status", hidden: true });
const home = leaving(
  element(
    "a",
    { id: "tinytorch-home", href: site, title: "Back to the map of the course" },
    element("img", { src: `${site}icon.svg`, alt: "", width: 24, height: 24 }),
    element("span", { textContent: "TinyTorch" }),
  ),
);
const where = element("p", { id: "tinytorch-where" });
const ticks = element("span", { className: "ticks", ariaHidden: "true" });
const count = element("span", { ariaHidden: "true" });
const spoken = element("span", { className: "tinytorch-hidden", role: "status" });
const progress = element("p", { id: "tinytorch-progress" }, ticks, count, spoken);
const next = element("span", { id: "tinytorch-next" });
export const bar = element("nav", { id: "tinytorch-bar", ariaLabel: "Course" }, home, where, slim, progress, next);

/** All that can be opened, in the order of the map: a module, then the milestones that follow it. */
export function line(course) {
  return course.modules
    .flatMap((module) => [module, ...course.milestones.filter(({ after }) => after === module.id)])
    .filter(({ notebook }) => notebook);
}

/** What the bar says about a module or milestone: {done: [boolean], text, label}. */
export function standing(item, exercises) {
  if (!item.exercises) {
    const passed = exercises[`milestone ${item.id}`]?.status === "passed";
    return { done: [passed], text: passed ? "passed" : "not passed yet", label: passed ? "passed" : "not passed yet" };
  }
  const done = item.exercises.map(({ name }) => Object.hasOwn(exercises, name) && exercises[name]?.status === "passed");
  const text = `${done.filter(Boolean).length} of ${done.length}`;
  return { done, text, label: `${text} exercises passed` };
}

function drawWhere(item, copy) {
  const number = element("b", { textContent: nameOf(item) });
  where.replaceChildren(number, ` ${item.title}`, ...(copy ? [element("small", { textContent: ` ${copy}` })] : []));
}

function drawProgress({ done, text, label }) {
  ticks.replaceChildren(...done.map((passed) => element("i", { dataset: { done: passed } })));
  if (count.textContent === text) return;
  count.textContent = text;
  spoken.textContent = label;
}

function drawNext(item) {
  const text = item ? `${nameOf(item)} ${item.title}` : "Map";
  const href = item ? linkTo(item.notebook) : site;
  next.replaceChildren(
    leaving(
      element(
        "a",
        { href, title: item ? `Next: ${text}` : "Back to the map of the course", ariaLabel: item ? `Next: ${text}` : "Back to the map" },
        element("span", { className: "words", textContent: item ? `Next: ${text}` : "Back to the map" }),
        element("span", { className: "arrow", textContent: "→", ariaHidden: "true" }),
      ),
    ),
  );
}

/** The item of the course that this notebook is; a copy of a lesson says so in its stamp. */
async function itemOf(items) {
  const own = items.find(({ notebook }) => notebook === path);
  if (own) return [own, ""];
  const { module, milestone } = (await panel).context.model.getMetadata?.("tinytorch") ?? {};
  const item = items.find((one) => (one.year ? one.id === milestone : one.id === module));
  return [item, item ? "copy" : ""];
}

/** Fills the bar and keeps its progress up to date: whenever the work document is written, and on coming back. */
export async function followProgress() {
  const [number, title] = facts.lessons[path] ?? ["", path.split("/").at(-1)];
  where.replaceChildren(element("b", { textContent: number.replace(/^M/, "Milestone ") }), ` ${title}`);
  const response = await fetch(`${site}course.json`);
  if (!response.ok) throw new Error(`course.json: ${response.status}`);
  const items = line(await response.json());
  const [item, copy] = await itemOf(items);
  if (!item) return drawNext(null);
  drawWhere(item, copy);
  drawNext(items[items.indexOf(item) + 1]);
  const refresh = async () => drawProgress(standing(item, (await readWork()).exercises));
  await refresh();
  document.addEventListener(WORK_CHANGED, refresh);
  document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && refresh());
  (await app).serviceManager.contents.fileChanged.connect((_, { newValue, oldValue }) => {
    if ([newValue?.path, oldValue?.path].includes(WORK)) refresh();
  });
}
