"""Python's side of the page's start: which files are there, and what is loaded while the page is still drawing.

The page starts with the files that a first lesson uses. All others are in `rest.bin`, whose names are known here: an
import of one of them fetches it, and the page fetches it by itself when nothing else is to be done.
"""

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
NAMES = LIBRARY / "rest.json"  # names of the files in rest.bin


class Rest:
    """Finds modules that are in `rest.bin`, by fetching it. Last on `sys.meta_path`: asked when all others gave up."""

    def __init__(self, names):
        self.modules = {_module(name) for name in names}

    def find_spec(self, name, path=None, target=None):
        """Return the spec of a module that the page lacks but the site has."""
        if name not in self.modules:
            return None
        fetch_rest()
        return importlib.machinery.PathFinder.find_spec(name, path, target)


def _module(name):
    """The dotted name of a file below the library: `site-packages/a/b.pyc` is `a.b`."""
    stem = name.removeprefix("site-packages/").split(".", 1)[0]
    return stem.removesuffix("/__init__").replace("/", ".")


def watch():
    """Look out for imports of modules that are not there yet."""
    if NAMES.exists():
        sys.meta_path.append(Rest(json.loads(NAMES.read_text())))


def rest_is_here():
    """All files are there: nothing is to be looked out for."""
    sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, Rest)]
    NAMES.unlink(missing_ok=True)
    importlib.invalidate_caches()


def fetch_rest():
    """Fetch `rest.bin` and unpack it, now; does nothing when it is there."""
    if not NAMES.exists():
        return
    import js

    request = js.XMLHttpRequest.new()
    request.open("GET", js.tinytorchRest, False)
    request.responseType = "arraybuffer"
    request.send(None)
    if request.status != 200:
        raise ImportError(f"this part of Python could not be fetched: the server answered {request.status}")
    data = gzip.decompress(request.response.to_bytes())
    (length,) = struct.unpack_from("<I", data)
    offset = 4 + length
    for name, size in json.loads(data[4:offset]):
        path = LIBRARY / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data[offset : offset + size])
        offset += size
    rest_is_here()


def without_terminal():
    """Keep `import IPython` from loading its terminal, with all of prompt_toolkit, which no page has."""
    name = "IPython.terminal.embed"
    stub = types.ModuleType(name, "A page has no terminal to embed a shell in.")
    stub.__spec__ = importlib.machinery.ModuleSpec(name, None)

    def embed(**_):
        raise RuntimeError("IPython.embed() needs a terminal; a notebook is a shell already")

    stub.embed = embed
    sys.modules[name] = stub


def prepare():
    """Load what the notebook will need, up to the shell; the student's files are not there yet."""
    without_terminal()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # those of libraries, which are shown when __main__ imports them
        import pyodide_kernel  # noqa: F401  (makes the shell)

        import checks.session  # noqa: F401
