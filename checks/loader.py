"""The student's package: put together from skeleton and saved answers, and changed in place while it lives.

`Package.load` gives a new definition to a package that is imported and in use. Objects that exist see the
new code, because the function object stays and only its code is exchanged; a class stays the same class. No
module is imported again. The package's file on disk always holds the same text as what runs, so tracebacks,
`inspect.getsource` and the student's own reading agree.
"""

from __future__ import annotations

import ast
import copy
import functools
import importlib.abc
import importlib.machinery
import importlib.util
import linecache
import marshal
import sys
import types
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from . import source
from .outcome import Line, student_lines

# Entries of a class's namespace that belong to the class object, not to its author.
_OWN = {"__module__", "__qualname__", "__dict__", "__weakref__", "__classcell__", "__firstlineno__"}
_OWN |= {"__static_attributes__", "__annotations_cache__", "__conditional_annotations__", "__slots__"}
_FUNCTION_PARTS = ("__code__", "__defaults__", "__kwdefaults__", "__doc__", "__type_params__")


class LoadError(Exception):
    """The definition itself failed: a default value, a decorator or a class body raised `__cause__`."""

    def __init__(self, error: BaseException, lines: tuple[Line, ...]) -> None:
        super().__init__(f"{type(error).__name__}: {error}")
        self.lines = lines


@functools.lru_cache(maxsize=512)
def _compiled(filename: str, text: str) -> types.CodeType:
    return compile(text, filename, "exec", dont_inherit=True)


class _Loader(importlib.machinery.SourceFileLoader):
    """Compiles a file unless it did so before, and writes no bytecode: answers change faster than file times do."""

    def __init__(self, fullname: str, path: str, package: Package) -> None:
        super().__init__(fullname, path)
        self.package = package

    def get_code(self, fullname: str) -> types.CodeType:
        inside = Path(self.path).relative_to(self.package.folder)
        return self.package.bytecode(inside) or _compiled(self.path, Path(self.path).read_text(encoding="utf-8"))


class _Finder(importlib.abc.MetaPathFinder):
    """Finds the package in its folder, and nothing else."""

    def __init__(self, package: Package) -> None:
        self.package, self.folder = package, package.folder

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> importlib.machinery.ModuleSpec | None:
        name, *inner = fullname.split(".")
        if name != self.folder.name:
            return None
        place = self.folder.joinpath(*inner)
        for file, is_package in ((place / "__init__.py", True), (place.with_suffix(".py"), False)):
            if file.exists():
                return importlib.util.spec_from_file_location(
                    fullname,
                    file,
                    loader=_Loader(fullname, str(file), self.package),
                    submodule_search_locations=[str(place)] if is_package else None,
                )
        return None


class Package:
    """A package in `folder`, imported under `name`; its files are this object's to write."""

    def __init__(self, folder: Path, name: str, skeleton: dict[str, str], installed: Path | None = None) -> None:
        """installed: where the skeleton itself lies, with bytecode that was compiled for `folder`."""
        self.folder, self.name, self.skeleton, self.installed = folder, name, skeleton, installed
        self.texts = dict(skeleton)

    def bytecode(self, inside: Path) -> types.CodeType | None:
        """What came compiled with the skeleton, for a file that has no answer in it."""
        if self.installed is None or self.texts[inside.as_posix()] != self.skeleton[inside.as_posix()]:
            return None
        cached = Path(importlib.util.cache_from_source(str(self.installed / inside)))
        if not cached.exists():
            return None
        code: types.CodeType = marshal.loads(cached.read_bytes()[16:])  # a header of 16 bytes comes first
        return code if code.co_filename == str(self.folder / inside) else None

    def write(self, answers: dict[str, dict[str, str]]) -> None:
        """Write all files: the skeleton, with answers (file -> name -> source) in their places."""
        self.texts = {
            path: source.splice_all(text, answers[path]) if answers.get(path) else text
            for path, text in self.skeleton.items()
        }
        for path, text in self.texts.items():
            file = self.folder / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8", newline="\n")
            linecache.cache.pop(str(file), None)  # another package may have been here before

    def imported(self) -> types.ModuleType:
        """The package from `folder`, imported afresh; what had this name before is forgotten."""
        forget(self.name)
        parent = str(self.folder.parent)
        if parent in sys.path:
            sys.path.remove(parent)
        sys.path.insert(0, parent)
        importlib.invalidate_caches()
        finder = _Finder(self)
        sys.meta_path.insert(0, finder)
        try:
            return importlib.import_module(self.name)
        finally:
            sys.meta_path.remove(finder)

    def module_of(self, path: str) -> types.ModuleType:
        """The imported module of a file of the package."""
        parts = path.removesuffix(".py").split("/")
        dotted = ".".join([self.name, *(part for part in parts if part != "__init__")])
        return sys.modules.get(dotted) or importlib.import_module(dotted)

    def answer(self, path: str, name: str) -> str:
        """Source of `name` as the package has it now."""
        return source.definition(self.texts[path], name)

    def given(self, path: str, name: str) -> str:
        """Source of `name` as the skeleton gives it."""
        return source.definition(self.skeleton[path], name)

    def load(self, path: str, name: str, answer: str, namespaces: Iterable[dict[str, Any]] = ()) -> None:
        """Exchange the definition of `name` in the file `path`, in place.

        namespaces: further dictionaries (the notebook's variables) in which a replaced object is exchanged.
        Raises SyntaxError or LoadError and then changes nothing.
        """
        module = self.module_of(path)
        filename = str(self.folder / path)
        old_text, new_text = self.texts[path], source.splice(self.texts[path], name, answer)
        new_tree = source.parsed(new_text)
        show_lines(filename, new_text)
        try:
            made = _execute(new_tree, name, module, filename)
        except (Exception, SystemExit) as error:
            lines = student_lines(error, self.folder)
            show_lines(filename, old_text)
            raise LoadError(error, lines) from error
        moved = _line_map(old_text, new_text, name)
        shift(functions(sys.modules.get(self.name)), filename, moved)
        _shift_classes(module, moved)
        exchange = _Exchange(self.name, namespaces, made)
        last = name.split(".")[-1]
        if isinstance(made.value, _ClassBody):
            exchange.class_body(made.owner, last, made.value)
        else:
            exchange.member(made.owner, last, made.value)
        self.texts[path] = new_text
        Path(filename).write_text(new_text, encoding="utf-8", newline="\n")


def forget(name: str) -> None:
    """Remove a package and its modules from the table of imported modules."""
    _walked.pop(name, None)
    for module in [m for m in sys.modules if m == name or m.startswith(f"{name}.")]:
        del sys.modules[module]


def package_folder(package: Any) -> Path | None:
    """Folder of a package whose code may be watched and shown; None for PyTorch and for plain objects."""
    file = getattr(package, "__file__", None)
    if file is None or getattr(package, "__name__", "") == "torch":
        return None
    return Path(file).parent


def show_lines(filename: str, text: str) -> None:
    """Let tracebacks show `text` for `filename`; without a time stamp it is not read from disk again."""
    linecache.cache[filename] = (len(text), None, text.splitlines(keepends=True), filename)


# Finding live functions.


_walked: dict[str, tuple[Any, int, list[types.FunctionType]]] = {}  # package -> (it, its modules, its functions)


def functions(package: Any) -> list[types.FunctionType]:
    """Every function of an imported package that can be reached from its modules and classes.

    The walk takes longer than most checks, so it is done once until a function is replaced or a module comes in.
    """
    folder = package_folder(package)
    if folder is None:
        return []
    modules = _modules(package.__name__)
    before = _walked.get(package.__name__)
    if before is not None and before[0] is package and before[1] == len(modules):
        return before[2]
    found: dict[int, types.FunctionType] = {}
    seen: set[int] = set()
    for module in modules:
        for value in list(vars(module).values()):
            _reach(value, str(folder), found, seen)
    _walked[package.__name__] = package, len(modules), list(found.values())
    return list(found.values())


def _modules(name: str) -> list[types.ModuleType]:
    return [
        module
        for key, module in list(sys.modules.items())
        if (key == name or key.startswith(f"{name}.")) and isinstance(module, types.ModuleType)
    ]


def _reach(value: Any, folder: str, found: dict[int, types.FunctionType], seen: set[int]) -> None:
    """Collect the package's functions behind a value: classes, properties, wrappers, closures."""
    if id(value) in seen:
        return
    seen.add(id(value))
    if isinstance(value, types.FunctionType):
        if value.__code__.co_filename.startswith(folder):
            found[id(value)] = value
        inner = [cell.cell_contents for cell in value.__closure__ or () if _is_filled(cell)]
        for other in [*inner, getattr(value, "__wrapped__", None)]:
            _reach(other, folder, found, seen)
    elif isinstance(value, type):
        module = sys.modules.get(value.__module__)
        if str(getattr(module, "__file__", "")).startswith(folder):
            for member in list(vars(value).values()):
                _reach(member, folder, found, seen)
    else:
        for other in _parts(value):
            _reach(other, folder, found, seen)


def _parts(value: Any) -> list[Any]:
    """The functions inside a property, method, or the like."""
    if isinstance(value, property):
        return [value.fget, value.fset, value.fdel]
    if isinstance(value, staticmethod | classmethod):
        return [value.__func__]
    if isinstance(value, functools.cached_property | functools.partial):
        return [value.func]
    return [value.__wrapped__] if type(value).__name__ == "_lru_cache_wrapper" else []


def _is_filled(cell: types.CellType) -> bool:
    try:
        return cell.cell_contents is not None
    except ValueError:  # a variable of the enclosing function that has no value yet
        return False


# Line numbers of everything below the changed definition.


def _line_map(old_text: str, new_text: str, name: str) -> Callable[[int], int]:
    """How a line number of the old file becomes one of the new file, for lines outside the definition."""
    old, new = source.spans(old_text, name), source.spans(new_text, name)
    growth = (new[-1].last - new[0].first) - (old[0].last - old[0].first)
    total = len(source.lines_of(new_text)) - len(source.lines_of(old_text))

    def moved(line: int) -> int:
        if line > old[-1].last:
            return line + total
        return line + growth if line > old[0].last else line

    return moved


def shift(live: Iterable[types.FunctionType], filename: str, moved: Callable[[int], int]) -> None:
    """Give live functions of a file the line numbers they have in its new text.

    A code object keeps its line table relative to its first line, so exchanging that one number moves the
    whole function; no function is compiled again.
    """
    for function in live:
        if function.__code__.co_filename == filename:
            code = _moved_code(function.__code__, moved)
            if code is not function.__code__:
                function.__code__ = code


def _shift_classes(scope: types.ModuleType | type, moved: Callable[[int], int]) -> None:
    """The same for the first line that a class notes (from Python 3.13 on), inner classes too."""
    home = scope.__name__ if isinstance(scope, types.ModuleType) else scope.__module__
    for key, value in list(vars(scope).items()):
        if isinstance(value, type) and value.__module__ == home and value.__name__ == key:
            if "__firstlineno__" in vars(value):
                type.__setattr__(value, "__firstlineno__", moved(vars(value)["__firstlineno__"]))
            _shift_classes(value, moved)


def _moved_code(code: types.CodeType, moved: Callable[[int], int]) -> types.CodeType:
    first = moved(code.co_firstlineno)
    if first == code.co_firstlineno:
        return code
    consts = tuple(_moved_code(c, moved) if isinstance(c, types.CodeType) else c for c in code.co_consts)
    return code.replace(co_firstlineno=first, co_consts=consts)


# Executing one definition of a file.


class _ClassBody(dict[str, Any]):
    """The namespace that a class statement's body filled, before any class is made of it."""


class _Made:
    """A new definition: the module or class it belongs to, its value, and the functions its text defines."""

    def __init__(self, owner: Any, value: Any, lines: range, decorators: list[Any]) -> None:
        self.owner, self.value, self.lines, self.decorators = owner, value, lines, decorators

    def written(self, value: Any) -> bool:
        """Is `value` a function written in the new text (not one that a decorator put around it)?"""
        return isinstance(value, types.FunctionType) and value.__code__.co_firstlineno in self.lines


class _Collector:
    """Stands in for the metaclass of a class statement: runs the body and keeps its namespace.

    `seed` is what the body sees at its start. Around a method it is what the real class has already, so that
    default values such as `n=SIZE` are found; functions that use zero-argument `super()` get the real class
    in their `__class__` cell.
    """

    def __init__(self, real: type, seed: dict[str, Any]) -> None:
        self.real, self.seed = real, seed

    def __prepare__(self, name: str, bases: tuple[type, ...], **_: Any) -> _ClassBody:
        return _ClassBody(self.seed)

    def __call__(self, name: str, bases: tuple[type, ...], body: _ClassBody, **_: Any) -> _ClassBody:
        if "__classcell__" in body:
            body["__classcell__"].cell_contents = self.real
        return body


def _execute(tree: ast.Module, name: str, module: types.ModuleType, filename: str) -> _Made:
    """Run only the definition of `name`: the chain of classes around it, stripped of all else."""
    *outer, last = name.split(".")
    owners: list[Any] = [module]
    for part in outer:
        owners.append(vars(owners[-1])[part])
    wanted = source.nodes(tree, name)
    body: list[ast.stmt] = list(wanted)
    names: dict[str, Any] = {}
    if isinstance(wanted[-1], ast.ClassDef):
        body = [_collecting(wanted[-1], wanted[-1].body)]
        names = {_COLLECT: _Collector(vars(owners[-1])[last], {})}
    for depth in reversed(range(len(outer))):
        around = source.nodes(tree, ".".join(outer[: depth + 1]))[-1]
        assert isinstance(around, ast.ClassDef)
        real = owners[depth + 1]
        seed = {key: value for key, value in vars(real).items() if key not in _OWN}
        body = [_collecting(around, body)]
        names = {_COLLECT: _Collector(real, seed | names)}
    futures = [n for n in tree.body if isinstance(n, ast.ImportFrom) and n.module == "__future__"]
    code = compile(ast.Module([*futures, *body], []), filename, "exec", dont_inherit=True)
    exec(code, vars(module), names)
    value: Any = names
    for part in name.split("."):
        value = value[part]
    first, end = source.span(wanted[0]).first, source.span(wanted[-1]).last
    decorators = _decorators(wanted[-1], module, filename) if isinstance(value, _ClassBody) else []
    return _Made(owners[-1], value, range(first, end + 1), decorators)


_COLLECT = "__collect__"


def _collecting(node: ast.ClassDef, body: list[ast.stmt]) -> ast.ClassDef:
    """A class statement with another body, no bases and no decorators, whose namespace a collector keeps."""
    new = copy.copy(node)
    collect = ast.copy_location(ast.Name(_COLLECT, ast.Load()), node)
    new.bases, new.keywords = [], [ast.copy_location(ast.keyword("metaclass", collect), node)]
    new.decorator_list, new.body = [], body
    return new


def _decorators(node: source.Definition, module: types.ModuleType, filename: str) -> list[Any]:
    """The decorators of a class, in the order in which they are applied."""
    expressions = (ast.Expression(decorator) for decorator in reversed(node.decorator_list))
    return [eval(compile(e, filename, "eval"), vars(module)) for e in expressions]


# Exchanging objects in a package that is in use.


class _Exchange:
    """Puts new definitions where old ones are, keeping the identity of functions and classes."""

    def __init__(self, package: str, namespaces: Iterable[dict[str, Any]], made: _Made) -> None:
        self.package, self.namespaces, self.made = package, list(namespaces), made

    def member(self, owner: Any, key: str, new: Any) -> None:
        """Give `owner` (a module or class) the new value of `key`; patch the old function where possible."""
        old = vars(owner).get(key)
        if _patched(old, new, self.made.written):
            return
        _walked.pop(self.package, None)
        type.__setattr__(owner, key, new) if isinstance(owner, type) else setattr(owner, key, new)
        if hasattr(new, "__set_name__") and isinstance(owner, type):
            new.__set_name__(owner, key)
        if old is not None and not isinstance(old, bool | int | float | str | bytes | tuple):
            self._everywhere(old, new)

    def class_body(self, owner: Any, name: str, body: _ClassBody) -> None:
        """Give an existing class the contents of a new class body, then apply its decorators."""
        _walked.pop(self.package, None)
        real = vars(owner)[name]
        filename = getattr(sys.modules.get(real.__module__), "__file__", "")
        for key, value in list(vars(real).items()):
            written = isinstance(value, types.FunctionType) and value.__code__.co_filename == filename
            if key not in body and key not in _OWN and (written or not key.startswith("__")):
                type.__delattr__(real, key)
        for key, value in body.items():
            if key not in _OWN:
                self.member(real, key, value)
        if "__eq__" in body and "__hash__" not in body:
            type.__setattr__(real, "__hash__", None)  # what `type` does when it makes such a class
        for decorate in self.made.decorators:
            decorated = decorate(real)
            if decorated is not real:
                setattr(owner, name, decorated)
                self._everywhere(real, decorated)

    def _everywhere(self, old: Any, new: Any) -> None:
        """Exchange an object in all modules and classes of the package, and in the notebook's variables."""
        for module in _modules(self.package):
            for key, value in list(vars(module).items()):
                if value is old:
                    setattr(module, key, new)
                elif isinstance(value, type) and value.__module__.split(".")[0] == self.package:
                    for name in [n for n, member in list(vars(value).items()) if member is old]:
                        type.__setattr__(value, name, new)
        for namespace in self.namespaces:
            for key in [k for k, value in list(namespace.items()) if value is old]:
                namespace[key] = new


def _patched(old: Any, new: Any, written: Callable[[Any], bool]) -> bool:
    """Exchange the code inside `old` for that of `new`, when both are made the same way; True when done."""
    pairs: list[tuple[Any, Any]]
    if isinstance(new, property) and isinstance(old, property):
        pairs = [(old.fget, new.fget), (old.fset, new.fset), (old.fdel, new.fdel)]
    elif isinstance(new, staticmethod | classmethod) and type(old) is type(new):
        pairs = [(old.__func__, new.__func__)]
    else:
        pairs = [(old, new)]
    pairs = [(a, b) for a, b in pairs if a is not b]
    if not all(_alike(a, b) and written(b) for a, b in pairs):
        return False
    for a, b in pairs:
        _patch(a, b)
    return True


def _alike(old: Any, new: Any) -> bool:
    """Are both plain functions of one qualified name, with the same free variables?"""
    return (
        isinstance(old, types.FunctionType)
        and isinstance(new, types.FunctionType)
        and old.__code__.co_qualname == new.__code__.co_qualname
        and old.__code__.co_freevars == new.__code__.co_freevars
    )


def _patch(old: types.FunctionType, new: types.FunctionType) -> None:
    for part in _FUNCTION_PARTS:
        if hasattr(new, part):
            setattr(old, part, getattr(new, part))
    old.__dict__.clear()
    old.__dict__.update(new.__dict__)
    # From Python 3.14 on annotations are evaluated when somebody asks; asking here could raise.
    annotations = "__annotate__" if hasattr(new, "__annotate__") else "__annotations__"
    setattr(old, annotations, getattr(new, annotations))
