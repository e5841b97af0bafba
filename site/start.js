// In the head of the notebook page, before everything: starts Python in a worker at once, so that it comes up while the
// page is still loading, and hands that worker to the app when it asks for one.

(function () {
  const script = document.currentScript;
  const events = new EventTarget();
  const state = { stage: "Python", fraction: 0, message: "", missing: false, events, interrupt };
  let interrupts = null; // shared with the running Python, in a cross-origin isolated page

  function interrupt() {
    if (!interrupts) return false;
    interrupts[0] = 2; // SIGINT
    return true;
  }

  function hear({ data }) {
    const news = data?.tinytorch;
    if (!news) return;
    if (news.interrupts) {
      interrupts = news.interrupts;
      return;
    }
    Object.assign(state, news);
    events.dispatchEvent(new Event("change"));
  }

  // Parts of the page that could not be loaded: without them the notebook never comes.
  function missing() {
    state.missing = true;
    events.dispatchEvent(new Event("change"));
  }
  addEventListener("error", ({ target }) => target?.tagName === "SCRIPT" && missing(), true);
  addEventListener("unhandledrejection", ({ reason }) => {
    const unloaded = /dynamically imported module|importing a module/i.test(reason?.message);
    if (unloaded || reason?.name === "ChunkLoadError") missing();
  });

  const Native = window.Worker;
  const path = new URLSearchParams(location.search).get("path");
  const module = script.dataset.modules.split(" ").find((id) => path?.startsWith(`${id}_`));
  const address = (kind) => new URL(`python/${kind}.mjs${module ? `?module=${module}` : ""}`, script.src).href;
  const kinds = new Map(
    ["comlink", "coincident"].map((kind) => [new URL(script.dataset[kind], script.src).href, address(kind)]),
  );

  function start(url) {
    interrupts = null;
    Object.assign(state, { stage: "Python", fraction: 0, message: "" });
    const worker = new Native(url, { type: "module", name: "Python" });
    worker.addEventListener("message", hear);
    worker.addEventListener("error", (event) => hear({ data: { tinytorch: { stage: "failed", message: event.message } } }));
    return worker;
  }

  let early = null;
  if (path) {
    const url = address(window.crossOriginIsolated ? "coincident" : "comlink");
    early = { url, worker: start(url) };
  }

  window.Worker = new Proxy(Native, {
    construct(target, [url, options], newTarget) {
      const ours = kinds.get(new URL(url, location.href).href);
      if (!ours) return Reflect.construct(target, [url, options], newTarget);
      if (early?.url === ours) {
        const { worker } = early;
        early = null;
        return worker;
      }
      return start(ours);
    },
  });
  window.tinytorch = state;
})();
