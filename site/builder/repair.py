"""Repairs of the notebook app's own scripts: each a bug that a student would meet, and the build stops if it has moved.

In a cross-origin isolated page, kernel and page call each other through shared memory (the library coincident, built
into the kernel extension). On a busy machine two of its steps lose a race:

- The caller sleeps until the first word of the answer's buffer changes, and the other side writes that word first: a
  caller that comes late reads half an answer ("Bad control character in string literal in JSON"; the kernel is dead).
  Repaired by writing the first word last, atomically.
- `Atomics.waitAsync` gives no promise when the answer is there already: the cell then waits for ever.
"""

from __future__ import annotations

import re
from pathlib import Path

from builder.errors import BuildError, write_atomic

KERNEL_SCRIPTS = "extensions/@jupyterlite/pyodide-kernel-extension/static/*.js"
LIBRARY = "64e10b34-2bf7-4616-9668-f99de5aa046e"  # the mark of coincident's messages
REPAIRS = (
    (
        r"(\w+)\[0\]=1\}else\{(let e=\w+\.get\(s\);\w+\.delete\(s\);)"
        r"for\(let t=new (\w+)\(\1\.buffer\),(\w+)=0;\4<e\.length;\4\+\+\)t\[\4\]=e\.charCodeAt\(\4\)\}",
        r"Atomics.store(\1,0,1)}else{\2"
        r"for(let t=new \3(\1.buffer),\4=2;\4<e.length;\4++)t[\4]=e.charCodeAt(\4);"
        r"Atomics.store(\1,0,e.charCodeAt(0)|e.charCodeAt(1)<<16)}",
    ),
    (r"=\(e,t\)=>e\?(\w+)\(t,0\):", r"=(e,t)=>e?{value:Promise.resolve(\1(t,0).value)}:"),
)


def repaired(text: str) -> str:
    """Return a script that holds coincident with its races repaired; raise BuildError where one is not found."""
    for wrong, right in REPAIRS:
        text, count = re.subn(wrong, right, text)
        if count != 1:
            raise BuildError("The kernel extension has changed: look again at site/builder/repair.py.")
    return text


def repair(output: Path) -> None:
    """Repair the scripts of the built notebook app."""
    scripts = [path for path in output.glob(KERNEL_SCRIPTS) if LIBRARY in path.read_text("utf-8")]
    for path in scripts:
        write_atomic(path, repaired(path.read_text("utf-8")).encode())
