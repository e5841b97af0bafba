// The start of Python: on the start screen until the notebook is drawn, then slimly in the bar until Python is ready.

import { found, site } from "./notebook-app.mjs";
import { say, unsay } from "./notebook-messages.mjs";

const STAGES = ["Python", "NumPy", "your work"];
const screen = document.getElementById("tinytorch-start");
const stages = document.getElementById("tinytorch-stages");
const text = document.getElementById("tinytorch-start-text");
const DRAWN = ".jp-Notebook .jp-Cell, .jp-Dialog, .jp-FileEditor";

/** {stage, fraction, missing} as the page knows them; without the script that reports them, "unknown". */
function state() {
  return globalThis.tinytorch ?? { stage: "unknown", fraction: 0, message: "" };
}

/** How much of each stage is done, 0 to 1. */
export function parts({ stage, fraction }) {
  if (stage === "ready") return [1, 1, 1];
  const at = STAGES.indexOf(stage);
  return STAGES.map((_, index) => (index < at ? 1 : index === at ? Math.min(1, Math.max(0, fraction)) : 0));
}

export function sentence({ stage, message }) {
  switch (stage) {
    case "ready": return "Python is ready.";
    case "failed": return `Python could not start${message ? `: ${message.replace(/\.*$/, "")}` : ""}.`;
    case "NumPy": return "Python is starting: NumPy.";
    case "your work": return "Python is starting: your work.";
    default: return "Python is starting.";
  }
}

const ADVICE =
  "Check the connection and reload the page. Your saved work is kept in this browser; it can be exported on the map of the course.";
const ACTIONS = [
  { label: "Reload", run: () => location.reload() },
  { label: "Open the map", href: site },
];

function setText(element, value) {
  if (element.textContent !== value) element.textContent = value;
}

function drawScreen(now) {
  const done = parts(now);
  const at = Math.max(0, STAGES.indexOf(now.stage));
  [...stages.children].forEach((child, index) => {
    child.style.setProperty("--done", done[index]);
    child.dataset.state = done[index] === 1 ? "done" : index === at ? "current" : "";
  });
  const percent = Math.round((done.reduce((sum, part) => sum + part) / done.length) * 100);
  stages.setAttribute("aria-valuenow", percent);
  if (now.stage === "failed") failedScreen(sentence(now));
  else if (now.missing) failedScreen("The page could not be loaded completely.");
  else if (!screen.dataset.failed) setText(text, sentence(now));
}

/** What to do when the start failed before the notebook was there. */
function failedScreen(what) {
  if (screen.dataset.failed) return;
  screen.dataset.failed = "true";
  const reload = Object.assign(document.createElement("button"), { type: "button", textContent: "Reload" });
  reload.addEventListener("click", () => location.reload());
  const map = Object.assign(document.createElement("a"), { className: "action", href: site, textContent: "Open the map" });
  const [said, advice] = [what, ADVICE].map((line) => Object.assign(document.createElement("p"), { textContent: line }));
  text.replaceChildren(said, advice, reload, map);
}

/** Asks something on the start screen; resolves with the value of the button. `buttons` are [{label, value}]. */
export function ask(question, buttons) {
  return new Promise((resolve) => {
    const before = [...text.childNodes];
    const lines = question.map((line) => Object.assign(document.createElement("p"), { textContent: line }));
    const made = buttons.map(({ label, value }) => {
      const button = Object.assign(document.createElement("button"), { type: "button", textContent: label });
      button.addEventListener("click", () => {
        stages.hidden = false;
        screen.dataset.asking = "";
        text.replaceChildren(...before);
        drawScreen(state()); // what was told meanwhile
        resolve(value);
      });
      return button;
    });
    screen.dataset.asking = "true";
    stages.hidden = true;
    text.replaceChildren(...lines, ...made);
    made[0].focus();
  });
}

/** Follows the start; `slim` is the element of the bar that shows it once the notebook is there. */
export async function followStart(slim) {
  const change = () => {
    const now = state();
    if (screen?.isConnected && !screen.dataset.asking) drawScreen(now);
    drawSlim(slim, now);
    if (now.stage === "failed" && !screen?.isConnected) {
      say("start", `${sentence(now)} ${ADVICE}`, { kind: "trouble", actions: ACTIONS, dismiss: false });
    } else if (now.stage !== "failed") unsay("start");
  };
  state().events?.addEventListener("change", change);
  change();
  await found(() => document.querySelector(DRAWN));
  screen?.remove();
  rememberTheme();
  change();
}

function drawSlim(slim, now) {
  const quiet = ["ready", "failed", "unknown"].includes(now.stage);
  slim.hidden = quiet;
  const done = parts(now).reduce((sum, part) => sum + part) / STAGES.length;
  slim.style.setProperty("--done", done);
  setText(slim, quiet ? "" : sentence(now).replace(/\.$/, ""));
}

/** A theme that the student chose against the system's is remembered: the next start screen has it from the first paint. */
function rememberTheme() {
  const remember = () => {
    const light = document.body.dataset.jpThemeLight;
    if (!light) return;
    const theme = light === "true" ? "light" : "dark";
    const system = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
    document.documentElement.dataset.theme = theme;
    try {
      if (theme === system) localStorage.removeItem("tinytorch-theme");
      else localStorage.setItem("tinytorch-theme", theme);
    } catch (error) {
      console.warn("the theme is not remembered", error);
    }
  };
  new MutationObserver(remember).observe(document.body, { attributes: true, attributeFilter: ["data-jp-theme-light"] });
  remember();
}
