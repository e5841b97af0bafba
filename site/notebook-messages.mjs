// Messages above the notebook. They take their room from it and never cover it.

import { element, leaving } from "./notebook-app.mjs";

export const messages = element("div", { id: "tinytorch-messages", role: "region", ariaLabel: "Messages", ariaLive: "polite" });

/**
 * Shows a message; one with the same id is replaced. `actions` are [{label, run}] or [{label, href}]; a click on
 * the first kind removes the message, unless `run` returns true. `kind` is "note" or "trouble".
 */
export function say(id, text, { kind = "note", actions = [], dismiss = true } = {}) {
  const buttons = actions.map((action) => button(id, action));
  if (dismiss) buttons.push(button(id, { label: "Close", run: () => {} }));
  const made = element(
    "div",
    { className: "tinytorch-message", dataset: { id, kind } },
    element("p", { textContent: text }),
    element("div", {}, ...buttons),
  );
  const old = shown(id);
  if (old) old.replaceWith(made);
  else messages.append(made);
}

export function unsay(id) {
  shown(id)?.remove();
}

export const shown = (id) => messages.querySelector(`[data-id="${id}"]`);

function button(id, { label, run, href, target }) {
  if (href) return leaving(element("a", { textContent: label, href, ...(target && { target }) }));
  const made = element("button", { type: "button", textContent: label });
  made.addEventListener("click", async () => {
    if ((await run()) !== true) unsay(id);
  });
  return made;
}
