// Our name in the notebook page: a link back to the map, at the left of the top bar.

import "./drive.mjs";

const home = document.createElement("a");
home.id = "tinytorch-home";
home.href = new URL("./", import.meta.url).href;
home.title = "Back to the map of the course";
home.innerHTML = `<img src="${new URL("icon.svg", import.meta.url).href}" alt="" width="24" height="24"><span>TinyTorch</span>`;

function place() {
  const bar = document.querySelector(".jp-top-bar, #top-panel");
  if (bar && !bar.contains(home)) bar.prepend(home);
  return Boolean(bar);
}

const watcher = new MutationObserver(() => place() && watcher.disconnect());
if (!place()) watcher.observe(document.body, { childList: true, subtree: true });
