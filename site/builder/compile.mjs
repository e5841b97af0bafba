// Runs Python as the page does, under Node, for the two things that only the page's own Python can tell the build:
//   node compile.mjs compile JOBS.json            compile archives to bytecode
//   node compile.mjs record RUNTIME TREE CELLS    start a kernel on the files below TREE, run CELLS, print which it used
import fs from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";

const EMPTY_ZIP = Buffer.from("UEsFBgAAAAAAAAAAAAAAAAAAAAAAAA==", "base64");

/** The folder of a host path, mounted at `inside`. */
function mount(python, inside, root) {
  python.FS.mkdirTree(inside);
  python.FS.mount(python.FS.filesystems.NODEFS, { root }, inside);
}

async function start(runtime, options = {}) {
  const { loadPyodide } = await import(pathToFileURL(path.join(runtime, "pyodide.mjs")).href);
  return loadPyodide({ indexURL: runtime + "/", ...options });
}

const COMPILE = `
import importlib.util, json, marshal, zipfile

def compiled(text, filename, optimize):
    """Bytecode with an unchecked hash: Python never looks for the source it came from."""
    code = compile(text, filename, "exec", dont_inherit=True, optimize=optimize)
    return importlib.util.MAGIC_NUMBER + (1).to_bytes(4, "little") + bytes(8) + marshal.dumps(code)

for job in json.loads(jobs):
    with zipfile.ZipFile(job["input"]) as archive, zipfile.ZipFile(job["output"], "w") as out:
        for name in job["names"]:
            data = archive.read(name)
            if name.endswith(".py"):
                root = next((there for prefix, there in job["roots"].items() if name.startswith(prefix)), job["root"])
                try:
                    bytecode = compiled(data, root + name, job["optimize"])
                except SyntaxError:
                    bytecode = None  # a template, such as those of lib2to3 or cookiecutters
                if bytecode is not None and job["keep"]:
                    folder, _, last = name.rpartition("/")
                    out.writestr(f"{folder}/__pycache__/{last[:-3]}.cpython-314.pyc", bytecode)
                elif bytecode is not None:
                    name, data = name + "c", bytecode
            out.writestr(name, data)
`;

async function compile(file) {
  const { runtime, folder, jobs } = JSON.parse(fs.readFileSync(file, "utf8"));
  const python = await start(runtime, { env: { PYTHONNODEBUGRANGES: "1" } }); // no columns: a third smaller
  mount(python, "/build", folder);
  python.globals.set("jobs", JSON.stringify(jobs));
  python.runPython(COMPILE);
}

const RECORD = `
import json, sys

used = set()
def hook(event, arguments):
    if event == "open" and isinstance(arguments[0], str):
        used.add(arguments[0])
sys.addaudithook(hook)

import tinytorch_page
tinytorch_page.watch()
import numpy
tinytorch_page.prepare()
import checks, pyodide_kernel
checks.load_ipython_extension(pyodide_kernel.ipython_shell)

shown = []
def show(data, *_): shown.append(dict(data).get("text/plain", ""))
def quiet(*_): pass
shell = pyodide_kernel.ipython_shell
shell.display_pub.display_data_callback = show
shell.display_pub.update_display_data_callback = quiet
shell.display_pub.clear_output_callback = shell.displayhook.publish_execution_result = quiet
pyodide_kernel.stdout_stream.publish_stream_callback = pyodide_kernel.stderr_stream.publish_stream_callback = quiet
orders = json.loads(cells)
for cell in orders:
    await pyodide_kernel.kernel_instance.run(cell)
if orders and not (shown and shown[0].startswith("passed")):
    raise RuntimeError(f"a solved exercise did not pass: {shown[:1]}")
for module in list(sys.modules.values()):
    if name := getattr(module, "__file__", None):
        used.add(name)
json.dumps(sorted(name for name in used if name.startswith("/lib/")))
`;

async function record(runtime, tree, cells) {
  const fsInit = async (FS) => {
    const copy = (from, to) => {
      FS.mkdirTree(to);
      for (const entry of fs.readdirSync(from, { withFileTypes: true })) {
        const [source, target] = [path.join(from, entry.name), `${to}/${entry.name}`];
        if (entry.isDirectory()) copy(source, target);
        else FS.writeFile(target, fs.readFileSync(source));
      }
    };
    copy(tree, "/lib/python3.14");
  };
  const stdLibURL = path.join(path.dirname(tree), "empty.zip"); // the library lies in a folder instead
  fs.writeFileSync(stdLibURL, EMPTY_ZIP);
  const python = await start(runtime, { stdLibURL, fsInit, env: { HOME: "/home/pyodide", TINYTORCH_WORK: "/work.json" } });
  python.FS.mkdirTree("/drive");
  python.FS.chdir("/drive");
  python.globals.set("cells", fs.readFileSync(cells, "utf8"));
  const used = await python.runPythonAsync(RECORD);
  fs.writeSync(1, used + "\n");
}

const [mode, ...rest] = process.argv.slice(2);
try {
  await { compile, record }[mode](...rest);
} catch (error) {
  console.error(error.message);
  process.exit(1);
}
process.exit(0);
