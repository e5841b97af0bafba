// Small helpers that every part of the landing page uses.

export const $ = (id) => document.getElementById(id);
export const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);
export const total = (numbers) => numbers.reduce((sum, number) => sum + number, 0);
export const plural = (count, noun) => `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;

/** "31 exercises, 4 notebooks and 1 milestone" */
export function listed(parts) {
  return parts.length < 2 ? parts.join("") : `${parts.slice(0, -1).join(", ")} and ${parts.at(-1)}`;
}

/** "0.4 kB", "2.1 MB", "25 MB" */
export function bytesText(bytes) {
  const [size, unit] = bytes < 1e6 ? [bytes / 1e3, "kB"] : [bytes / 1e6, "MB"];
  return `${size < 10 ? Math.max(size, bytes > 0 ? 0.1 : 0).toFixed(1) : Math.round(size)} ${unit}`;
}

/** "22 November 2026"; empty for a text that is not a time. */
export function dateText(time) {
  const date = new Date(time);
  if (Number.isNaN(date.getTime())) return "";
  return date.toLocaleDateString("en-GB", { day: "numeric", month: "long", year: "numeric" });
}

/** Leaves an element alone that already says so, so that a screen reader does not repeat it. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

export const linkTo = (notebook) => `notebooks/index.html?path=${encodeURIComponent(notebook)}`;
export const milestoneKey = ({ id }) => `milestone ${id}`; // of its entry in the work document

/** Is there anything in an entry? A reset leaves one behind that holds nothing. */
export function hasWork(entry) {
  return isObject(entry) && Boolean(entry.source || entry.status || entry.hints || entry.given || entry.solution_seen);
}
