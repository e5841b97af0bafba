// The milestone wall: a plate for each milestone, with the figures and the picture of the student's own run.

import { $, dateText, isObject, linkTo, milestoneKey, plural, setText, total } from "./text.mjs";

const LARGEST = 12_000; // characters of a picture; the kit draws smaller ones

/** Makes the plates, empty. */
export function drawWall({ milestones }) {
  const plates = milestones.map((milestone) => {
    const plate = $("plate").content.firstElementChild.cloneNode(true);
    plate.dataset.plate = milestone.id;
    plate.querySelector(".year").textContent = milestone.year;
    const name = document.createElement(milestone.notebook ? "a" : "span");
    if (milestone.notebook) name.href = linkTo(milestone.notebook);
    name.textContent = milestone.title;
    plate.querySelector("h3").append(name);
    plate.querySelector(".people").textContent = milestone.people ?? "";
    return plate;
  });
  document.querySelector(".plates").replaceChildren(...plates);
}

/** Fills in what the work document says. */
export function showWall(course, exercises) {
  for (const milestone of course.milestones) {
    const plate = document.querySelector(`[data-plate="${milestone.id}"]`);
    const entry = exercises[milestoneKey(milestone)];
    const passed = isObject(entry) && Boolean(entry.first_passed);
    plate.dataset.state = passed ? "done" : milestone.notebook ? "open" : "coming";
    setText(plate.querySelector(".state"), passed ? passedText(entry) : neededText(milestone, course, exercises));
    showClaims(plate, passed ? claimsOf(entry) : []);
    showPicture(plate, passed ? pictureOf(entry) : null);
  }
}

function passedText({ first_passed: first, seconds, status }) {
  const took = typeof seconds === "number" ? `, ${seconds < 10 ? seconds : Math.round(seconds)} s` : "";
  const again = status === "passed" ? "" : " The last run did not pass.";
  const date = dateText(first);
  return `First passed${date && ` on ${date}`}${took}.${again}`;
}

/** What is still to do before the milestone can pass. */
function neededText({ notebook, after }, { modules }, exercises) {
  if (!notebook) return `Coming, after module ${after}.`;
  const before = modules.filter(({ id }) => id <= after);
  const left = total(before.map((module) => module.exercises.filter(({ name }) => exercises[name]?.status !== "passed").length));
  if (left === 0) return "Ready to run.";
  const span = before.length > 1 ? `modules ${before[0].id} to ${after}` : `module ${after}`;
  return `Needs ${span}: ${plural(left, "exercise")} to go.`;
}

const claimsOf = ({ claims }) => (Array.isArray(claims) ? claims.filter((claim) => typeof claim === "string") : []);

function showClaims(plate, claims) {
  plate.querySelector(".claims")?.remove();
  if (claims.length === 0) return;
  const list = document.createElement("ul");
  list.className = "claims";
  list.setAttribute("role", "list");
  list.append(...claims.map((claim) => Object.assign(document.createElement("li"), { textContent: claim })));
  plate.querySelector(".state").before(list);
}

/** {source, alt} of a run's picture, or null. As an image it can neither run scripts nor load anything. */
function pictureOf({ picture }) {
  if (typeof picture !== "string" || picture.length > LARGEST || !picture.trimStart().startsWith("<svg")) return null;
  const svg = new DOMParser().parseFromString(picture, "image/svg+xml");
  if (svg.querySelector("parsererror")) return null;
  const alt = svg.querySelector("title")?.textContent.trim() || "Picture of your run";
  return { source: `data:image/svg+xml;charset=utf-8,${encodeURIComponent(picture)}`, alt };
}

function showPicture(plate, picture) {
  const image = plate.querySelector("img");
  if (picture && image?.src === picture.source) return;
  image?.remove();
  if (!picture) return;
  const fresh = Object.assign(document.createElement("img"), { src: picture.source, alt: picture.alt });
  plate.querySelector(".people").after(fresh);
}
