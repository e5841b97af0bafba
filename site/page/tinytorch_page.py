"""Python's side of the page's start: which files are there, and what is loaded while the page is still drawing.

The page starts with the files that every lesson uses. Others are in packs, whose contents are known here: importing or
opening such a file fetches its pack, from the browser's own store once the course is kept there.
"""

import contextlib
import gc
import gzip
import importlib
import importlib.machinery
import json
import struct
import sys
import types
import warnings
from pathlib import Path

LIBRARY = Path("/lib/python3.14")
missing = {}  # pack -> names of its files below the library, as long as it is not here
fetched = {}  # pack -> what it was fetched for, to find what a start should have brought along


class Finder:
    """Finds modules that are in a pack, by fetching it. Last on `sys.meta_path`: asked when all others gave up."""

    def __init__(self):
        self.packs = {_module(name): pack for pack, names in missing.items() for name in names}

    def find_spec(self, name, path=None, target=None):
        """Return the spec of a module that the page lacks but the site has."""
        pack = self.packs.get(name)
        if pack not in missing:
            return None
        fetch(pack, name)
        return importlib.machinery.PathFinder.find_spec(name, path, target)


def _module(name):
    """The dotted name of a file below the library: `site-packages/a/b.pyc` is `a.b`."""
    stem = name.removeprefix("site-packages/").split(".", 1)[0]
    return stem.removesuffix("/__init__").replace("/", ".")


def watch():
    """Learn what is in the packs, and look out for imports of it."""
    linalg_later()
    table = LIBRARY / "packs.json"
    if table.exists() and not missing:
        missing.update(json.loads(table.read_text()))
        sys.meta_path.append(Finder())


def is_here(pack):
    """The files of a pack were written."""
    missing.pop(pack, None)
    importlib.invalidate_caches()


def present(path):
    """Fetch the pack that a file is in, if need be."""
    name = str(path).removeprefix(f"{LIBRARY}/")
    for pack in [pack for pack, names in missing.items() if name in names]:
        fetch(pack, name)


def fetch(pack, reason=""):
    """Fetch a pack and unpack it, now; does nothing when it is there."""
    if pack not in missing:
        return
    fetched[pack] = reason
    import js

    request = js.XMLHttpRequest.new()
    request.open("GET", f"{js.tinytorchPacks}{pack}.bin", False)
    request.responseType = "arraybuffer"
    request.send(None)
    if request.status != 200:
        raise ImportError(f"{pack}.bin, a part of this course, could not be fetched: the answer was {request.status}")
    data = gzip.decompress(request.response.to_bytes())
    (length,) = struct.unpack_from("<I", data)
    offset = 4 + length
    for name, size in json.loads(data[4:offset]):
        path = LIBRARY / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data[offset : offset + size])
        offset += size
    is_here(pack)


class Later(types.ModuleType):
    """A module that is imported when it is first used; `use` then puts the real one in its place."""

    def __init__(self, name, use):
        super().__init__(name)
        self.__dict__["_use"] = use

    def __getattr__(self, attribute):
        if attribute.startswith("__"):
            raise AttributeError(attribute)
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        module = importlib.import_module(self.__name__)
        self._use(module)
        return getattr(module, attribute)


def without_terminal():
    """Keep `import IPython` from loading its terminal, with all of prompt_toolkit, which no page has."""
    name = "IPython.terminal.embed"
    if name in sys.modules:
        return
    stub = types.ModuleType(name, "A page has no terminal to embed a shell in.")
    stub.__spec__ = importlib.machinery.ModuleSpec(name, None)

    def embed(**_):
        raise RuntimeError("IPython.embed() needs a terminal; a notebook is a shell already")

    stub.embed = embed
    sys.modules[name] = stub


def jedi_later():
    """Let completion import jedi when somebody presses Tab, not at the start."""
    sys.modules["jedi"] = None  # an import of it fails
    import IPython.core.completer as completer

    del sys.modules["jedi"]

    def use(jedi):
        jedi.settings.case_insensitive_completion = False
        completer.jedi = jedi

    completer.JEDI_INSTALLED = True
    completer.jedi = Later("jedi", use)


def linalg_later():
    """Load NumPy's LAPACK, a fifth of its code, when a matrix is first decomposed: no lesson starts with that."""
    name = "numpy.linalg._umath_linalg"

    def use(module):
        import numpy.linalg._linalg as linalg

        linalg._umath_linalg = module

    sys.modules[name] = Later(name, use)


def prepare():
    """Load what the notebook will need, up to the shell; the student's files are not there yet."""
    without_terminal()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # those of libraries, which are shown when __main__ imports them
        jedi_later()
        import pyodide_kernel  # noqa: F401  (makes the shell)

        import checks.session  # noqa: F401


def before_snapshot(names):
    """Load what a start uses, as far as it can be in a memory snapshot: nothing compiled, nothing that needs NumPy.

    `names` (JSON text) are the files that a start uses.
    """
    watch()
    without_terminal()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        jedi_later()
        with _without("numpy"), _page_api_later():
            import pyodide_kernel  # noqa: F401  (makes the shell)

            for name in json.loads(names):
                if name.endswith(".pyc") and not name.startswith("site-packages/tinytorch/"):
                    with contextlib.suppress(ImportError):
                        importlib.import_module(_module(name))
    gc.collect()
    gc.freeze()  # all of it stays, so no collection need look at it again


@contextlib.contextmanager
def _without(package):
    """Let imports of a package fail."""

    class Blocked:
        def find_spec(self, name, path=None, target=None):
            if name.partition(".")[0] == package:
                raise ImportError(f"{name} is loaded later")

    blocked = Blocked()
    sys.meta_path.insert(0, blocked)
    try:
        yield
    finally:
        sys.meta_path.remove(blocked)


@contextlib.contextmanager
def _page_api_later():
    """Have the kernel look for its one function of the page when it calls it: what is the page's cannot be kept."""

    async def load_packages_from_imports(code, *arguments, **options):
        import pyodide_js

        return await pyodide_js.loadPackagesFromImports(code, *arguments, **options)

    name = "pyodide_js"
    real = sys.modules.pop(name, None)
    stub = sys.modules[name] = types.ModuleType(name)
    stub.loadPackagesFromImports = load_packages_from_imports
    try:
        yield
    finally:
        del sys.modules[name]
        if real:
            sys.modules[name] = real


def restored():
    """Make good what a memory that is put back has missed: new files, chance of its own, the folders of the shell."""
    import random

    import pyodide_kernel

    importlib.invalidate_caches()
    random.seed()
    folders = pyodide_kernel.ipython_shell.profile_dir
    Path(folders.location).mkdir(parents=True, exist_ok=True)
    folders.check_dirs()


def start_session(document):
    """Put the student's package together from a document (JSON text), before the drive is there.

    Where more than reading is to be done, for a damaged document or a renamed exercise, the session starts later.
    """
    import pyodide_kernel

    from checks import course, magics, work

    content = document.encode()
    read = work.Document(content)
    if not (read.damaged or read.schema != work.SCHEMA or course.load().get("renamed")):
        magics.load(pyodide_kernel.ipython_shell, work.Early(content))


def drive_is_here():
    """The app has mounted the drive: the session starts now, or goes on with it."""
    import pyodide_kernel

    from checks import magics

    shell = pyodide_kernel.ipython_shell
    shell.extension_manager.load_extension("checks")
    magics.drive_is_here(shell)
