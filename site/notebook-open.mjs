// Starts the notebook app, with the settings that the build has written into the page.

import { path, site } from "./notebook-app.mjs";
import { prepare } from "./notebook-lesson.mjs";

/** Runs a script of the app after those that were asked for before it. */
function run(url) {
  const script = Object.assign(document.createElement("script"), { src: url, async: false });
  document.head.append(script);
  return script;
}

await prepare().catch((error) => console.error(`${path} could not be brought up to date`, error));
const settings = document.getElementById("jupyter-config-data");
settings.textContent = settings.textContent.replaceAll('"{root}/', `"${new URL(site).pathname}`);
run(new URL("build/app.js", site).href);
const main = document.getElementById("jupyter-lite-main");
run(main.href).main = main.attributes.main;
