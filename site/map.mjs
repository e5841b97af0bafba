// Draws the map of the course from course.json and marks on it what the student has done.
// The wall of milestones is drawn by wall.mjs; what changes the student's work is in manage.mjs.

import { readWork } from "./storage.mjs";
import { $, isObject, linkTo, milestoneKey, plural, setText, total } from "./text.mjs";
import { drawWall, showWall } from "./wall.mjs";
import { drawManage, showManage } from "./manage.mjs";

const TROUBLE = {
  blocked:
    "This browser lets this page store nothing (a private window, or site data is blocked), so the map shows no " +
    "progress. Answers written now may be lost when the window closes.",
  ephemeral:
    "This seems to be a private window: what is stored in it is deleted when it is closed. Use a normal window to " +
    "keep your work, or export it before you close this one.",
  damaged:
    "The record of your work could not be read, so the map shows no progress. Open a lesson: it keeps a copy of " +
    "the record and recovers what it can.",
  course: "The map could not be loaded. Try again in a moment; the button above leads to the first lesson.",
};

// ---- progress ----------------------------------------------------------------------------------

/** How far one module is; `latest` is 0 if it is untouched. Only exercises named in course.json count. */
function progressOf(module, exercises) {
  const all = module.exercises
    .filter(({ name }) => Object.hasOwn(exercises, name) && isObject(exercises[name]))
    .map(({ name }) => exercises[name]);
  const given = all.filter((entry) => entry.given === true).length; // filled in from the reference
  const entries = all.filter(({ status }) => status === "passed" || status === "not yet"); // a stub that was run is not a start
  const passed = entries.filter(({ status }) => status === "passed").length;
  const again = entries.filter(({ status, recheck }) => status === "passed" && recheck).length; // by a newer release's checks
  const of = module.exercises.length;
  const latest = Math.max(0, ...entries.map(({ updated }) => Date.parse(updated) || 1)); // 1: some time
  let state = "not-started";
  if (!module.notebook) state = "coming";
  else if (of > 0 && passed === of) state = "done";
  else if (entries.length > 0) state = "in-progress";
  else if (given > 0) state = "given";
  return { state, passed, given, again, of, latest };
}

function stateText({ state, passed, given, again, of }) {
  const filled = given > 0 ? `, ${given} filled in from the reference` : "";
  const recheck = again > 0 ? `, ${again} to check again` : "";
  switch (state) {
    case "coming": return "coming";
    case "done": return `done, all ${plural(of, "exercise")}${recheck}`;
    case "in-progress": return `in progress ${passed} of ${of}${filled}${recheck}`;
    case "given": return `not started, ${given} of ${plural(of, "exercise")} filled in from the reference`;
    default: return `not started, ${plural(of, "exercise")}`;
  }
}

/** How far a milestone is: its entry is "milestone 1". One that ran on filled-in exercises does not count. */
function milestoneText({ id, notebook }, exercises) {
  if (!notebook) return "coming";
  const entry = exercises[milestoneKey({ id })];
  if (!isObject(entry) || !entry.status) return "not run yet";
  switch (entry.status) {
    case "passed": return "passed";
    case "given": return "runs, with exercises filled in from the reference";
    default: return entry.first_passed ? "passed before; the last run did not" : "not passed yet";
  }
}

// ---- drawing -----------------------------------------------------------------------------------

/** One stop of the line. A module and a milestone look alike to a screen reader: a heading, a sentence, facts. */
function makeStop(mark, { title, summary, unlocks, notebook }) {
  const stop = $("stop").content.firstElementChild.cloneNode(true);
  stop.classList.toggle("coming", !notebook);
  const name = document.createElement(notebook ? "a" : "span");
  if (notebook) name.href = linkTo(notebook);
  const sign = document.createElement("span");
  sign.className = "mark";
  sign.textContent = mark;
  name.append(sign, ` ${title}`);
  stop.querySelector("h3").append(name);
  stop.querySelector(".summary").textContent = summary;
  stop.querySelector(".unlocks").textContent = unlocks ? `Unlocks ${unlocks}` : "";
  return stop;
}

function makeModule(module) {
  const stop = makeStop(module.id, module);
  stop.classList.add("module");
  stop.dataset.module = module.id;
  stop.querySelector(".hours").textContent = `${plural(module.hours, "hour")} · `;
  showModule(stop, progressOf(module, {}));
  return stop;
}

function makeMilestone(milestone) {
  const stop = makeStop(milestone.year, milestone);
  stop.classList.add("milestone");
  stop.dataset.milestone = milestone.id;
  stop.querySelector(".hours").textContent = `milestone ${milestone.id} · `;
  stop.querySelector(".bar").remove();
  showMilestone(stop, milestone, {});
  return stop;
}

function showMilestone(stop, milestone, exercises) {
  const entry = exercises[milestoneKey(milestone)];
  stop.dataset.state = isObject(entry) && entry.status === "passed" ? "done" : milestone.notebook ? "open" : "coming";
  stop.querySelector(".state").textContent = milestoneText(milestone, exercises);
}

function showModule(stop, progress) {
  stop.dataset.state = progress.state;
  stop.querySelector(".state").textContent = stateText(progress);
  stop.style.setProperty("--of", progress.of || 1);
  stop.style.setProperty("--part", progress.of ? progress.passed / progress.of : 0);
}

/** The section of a tier: written out in the page, or made like the first one for a tier that is not. */
function sectionOf(tier) {
  const written = [...document.querySelectorAll(".tier")];
  const known = written.find((section) => section.dataset.tier === tier);
  if (known) return known;
  const section = written[0].cloneNode(true);
  const heading = section.querySelector("h2");
  section.dataset.tier = heading.textContent = tier;
  heading.id = `tier-${tier.toLowerCase().replace(/\W+/g, "-")}`;
  section.setAttribute("aria-labelledby", heading.id);
  section.querySelector("header p").textContent = "";
  section.querySelector("ol").replaceChildren();
  return section;
}

function drawTier(tier, modules, milestones) {
  const section = sectionOf(tier);
  const stops = modules.flatMap((module) => [
    makeModule(module),
    ...milestones.filter(({ after }) => after === module.id).map(makeMilestone),
  ]);
  section.querySelector("ol").replaceChildren(...stops);
  const ids = modules.map(({ id }) => id);
  const span = ids.length > 1 ? `Modules ${ids[0]} to ${ids.at(-1)}` : `Module ${ids[0]}`;
  section.querySelector(".extent").textContent = `${span}, ${plural(total(modules.map(({ hours }) => hours)), "hour")}`;
  return section;
}

function drawCourse({ title, release, repository, modules, milestones }) {
  document.title = $("title").textContent = title;
  const hours = total(modules.map((module) => module.hours));
  $("extent").textContent =
    `${plural(modules.length, "module")}, ${plural(milestones.length, "milestone")}, about ${plural(hours, "hour")}.`;
  $("release").textContent = `Release ${release}. `;
  $("repository").hidden = !/^https:/.test(repository ?? "");
  if (!$("repository").hidden) $("repository").href = repository;
  const tiers = [...new Set(modules.map(({ tier }) => tier))];
  const sections = tiers.map((tier) => drawTier(tier, modules.filter((module) => module.tier === tier), milestones));
  $("map").replaceChildren(...sections);
}

function showProgress(course, { exercises }) {
  const { modules, milestones } = course;
  showWall(course, exercises);
  for (const milestone of milestones) {
    showMilestone(document.querySelector(`[data-milestone="${milestone.id}"]`), milestone, exercises);
  }
  const open = modules
    .filter(({ notebook }) => notebook)
    .map((module) => ({ module, ...progressOf(module, exercises) }));
  for (const { module, ...progress } of open) {
    showModule(document.querySelector(`[data-module="${module.id}"]`), progress);
  }
  const passed = total(open.map((one) => one.passed));
  const of = total(open.map((one) => one.of));
  setText($("progress"), passed > 0 ? `You have solved ${passed} of ${plural(of, "exercise")}.` : "");
  if (open.length > 0) showContinue(open);
}

/** Continue in the module worked on last, or after it when it is done; start with the first if there is none. */
function showContinue(open) {
  const last = open.reduce((best, one) => (one.latest > best.latest ? one : best));
  const isOpen = ({ state }) => state !== "done";
  const next = isOpen(last) ? last : (open.slice(open.indexOf(last)).find(isOpen) ?? open.find(isOpen) ?? last);
  const name = `${next.module.id} ${next.module.title}`;
  const words = next.latest > 0 ? `Continue: ${name}, ${next.passed} of ${plural(next.of, "exercise")}` : `${last.latest > 0 ? "Continue" : "Start"}: ${name}`;
  $("continue").href = linkTo(next.module.notebook);
  setText($("continue"), words);
}

// ---- start -------------------------------------------------------------------------------------

async function loadCourse() {
  const response = await fetch("course.json");
  if (!response.ok) throw new Error(`course.json: ${response.status}`);
  return response.json();
}

let reading = 0;

/** Shows what is stored now: the map at once, then what it takes longer to find out. */
async function refresh(course) {
  const mine = ++reading;
  const work = await readWork();
  if (mine !== reading) return; // a later reading is on its way
  showProgress(course, work);
  if (work.trouble) setText($("trouble"), TROUBLE[work.trouble]);
  document.body.classList.add("drawn");
  const state = await showManage();
  if (mine !== reading) return;
  const trouble = work.trouble || (state.blocked ? "blocked" : state.ephemeral ? "ephemeral" : "");
  setText($("trouble"), TROUBLE[trouble] ?? "");
}

async function start() {
  let course;
  try {
    course = await loadCourse();
  } catch (error) {
    console.error(error);
    document.body.classList.add("drawn");
    setText($("trouble"), TROUBLE.course);
    return;
  }
  drawCourse(course);
  drawWall(course);
  drawManage(course, () => refresh(course));
  if (location.hash.length > 1) document.getElementById(location.hash.slice(1))?.scrollIntoView(); // the page grew
  addEventListener("pageshow", () => refresh(course));
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "visible") refresh(course);
  });
  await refresh(course);
}

start();
