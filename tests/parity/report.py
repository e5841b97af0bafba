"""Print how far tinytorch agrees with PyTorch: operators, modules, optimizers, scripts, names."""

import argparse
import collections
import sys
import time
import warnings
from pathlib import Path

from . import oracle

ROOT = Path(__file__).parents[2]
SHARE = 0.98  # of the operators' samples; the rest has its reason in excused.py
SCRIPT_TOLERANCE = 1e-3


def groups(only=""):
    """Run all comparisons with PyTorch; return {title: outcomes}, refusals, names without samples."""
    from . import modules, operators, optimizers

    found, refusals = operators.run(only)
    module_outcomes, untested = modules.run(only)
    others, left = optimizers.run(only)
    kinds = set(optimizers.names()[0])
    outcomes = {
        "operators": found,
        "modules": module_outcomes,
        "optimizers": [outcome for outcome in others if outcome.name in kinds],
        "schedulers": [outcome for outcome in others if outcome.name not in kinds],
    }
    return outcomes, refusals, untested + left


def label(outcome):
    """Return what a sample calls."""
    return getattr(outcome, "label", None) or getattr(outcome, "module", None) or outcome.name


def name(outcome):
    """Return the name that a sample counts for: an operator with its variants, methods and aliases is one."""
    return getattr(outcome, "base", label(outcome))


def row(title, outcomes):
    """Return one line of the table as a list of cells."""
    count = collections.Counter(outcome.status for outcome in outcomes)
    total = len(outcomes)
    share = f"{100 * count['equal'] / total:.2f} %" if total else "-"
    gradients = sum(outcome.gradient for outcome in outcomes) if title == "operators" else ""
    names = len({name(outcome) for outcome in outcomes})
    return [title, names, total, count["equal"], share, gradients, count["excused"], count["failed"]]


def is_number(cell):
    """Return whether a cell is aligned to the right."""
    return isinstance(cell, int) or str(cell)[:1].isdigit() or cell in ("-", "inf")


def table(rows):
    """Return rows of cells as aligned text, the first row as head."""
    widths = [max(len(str(cells[place])) for cells in rows) for place in range(len(rows[0]))]
    lines = []
    for cells in rows:
        sized = zip(cells, widths, strict=True)
        aligned = (str(cell).rjust(width) if is_number(cell) else str(cell).ljust(width) for cell, width in sized)
        lines.append("  ".join(aligned).rstrip())
    return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:]])


def scripts():
    """Return the rows of tests/dropin: name, steps, largest difference from PyTorch; none without its harness."""
    if not (ROOT / "tests" / "dropin" / "harness.py").exists():
        return []
    from tests.dropin import harness

    return harness.run_all()


def script_agrees(result):
    """Return whether a script printed the same and returned the same numbers."""
    clean = not result.get("error") and not result.get("text")
    return clean and result["max_difference"] <= SCRIPT_TOLERANCE


def reasons(outcomes):
    """Return the reasons of samples that may differ, with how many samples and which operators they cover."""
    found = collections.defaultdict(list)
    for outcome in outcomes:
        if outcome.status == "excused":
            found[outcome.note].append(label(outcome))
    lines = []
    for why, labels in sorted(found.items()):
        which = sorted(set(labels))
        shown = ", ".join(which[:6]) + (f" and {len(which) - 6} more" if len(which) > 6 else "")
        lines.append(f"  {len(labels):4}  {why}: {shown}")
    return lines


def failures(outcomes):
    """Return a line for every sample that differs without a reason."""
    return [
        f"{label(outcome)} {getattr(outcome, 'mode', '')}#{outcome.number} ({outcome.inputs}): {outcome.note}"
        for outcome in outcomes
        if outcome.status == "failed"
    ]


def kept(outcomes):
    """Return the promises that are broken, in words."""
    broken = []
    for title, found in outcomes.items():
        equal = sum(outcome.status == "equal" for outcome in found)
        failed = sum(outcome.status == "failed" for outcome in found)
        if not found:
            broken.append(f"{title}: no sample ran")
        elif failed:
            broken.append(f"{title}: {failed} of {len(found)} samples differ without a reason")
        elif equal < (SHARE if title == "operators" else 1) * len(found):
            broken.append(f"{title}: only {equal} of {len(found)} samples are equal")
    return broken


def show(only="", every=False):
    """Print the report; return the broken promises."""
    from . import names

    start = time.perf_counter()
    outcomes, refusals, untested = groups(only)
    head = ["", "names", "samples", "equal", "share", "with gradients", "with a reason", "failed"]
    print(table([head, *(row(title, found) for title, found in outcomes.items())]))
    refused = sum(refusal.refused for refusal in refusals)
    same = sum(refusal.same_type for refusal in refusals)
    print(f"\ncalls that PyTorch refuses: {len(refusals)}; refused too: {refused}, with the same kind of error: {same}")
    broken = kept(outcomes)
    if not only:
        broken += show_scripts()
        missing = names.missing()
        listed = names.listed()
        print(f"\nnames that ordinary scripts use: {len(listed) - len(missing)} of {len(listed)}")
        if every and missing:
            print("  missing: " + " ".join(missing))
        if every and untested:
            print("  without samples: " + " ".join(untested))
    everything = [outcome for found in outcomes.values() for outcome in found]
    if any(outcome.status == "excused" for outcome in everything):
        print("\nsamples that may differ, by reason:")
        print("\n".join(reasons(everything)))
    if every:
        print("\nfailures:")
        print("\n".join(failures(everything)) or "none")
        print("\ncalls that PyTorch refuses and we accept, or refuse with another error:")
        print("\n".join(f"{r.label}({r.inputs}): {r.note}" for r in refusals if not r.same_type) or "none")
    for line in broken:
        print(f"BROKEN {line}")
    print(f"\n{time.perf_counter() - start:.0f} s")
    return broken


def show_scripts():
    """Print what the scripts of tests/dropin gave; return the broken promises."""
    found = scripts()
    if not found:
        return []
    cells = [["scripts", "steps", "largest difference", ""]]
    for result in found:
        note = result.get("error") or result.get("text") or ""
        cells.append([result["name"], result["steps"], f"{result['max_difference']:.1e}", note])
    print("\n" + table(cells))
    return [f"script {result['name']} differs" for result in found if not script_agrees(result)]


def main(arguments=None):
    """Run the comparisons and print the table; return 0 when every promise is kept, else 1."""
    parser = argparse.ArgumentParser(prog="python3 build.py parity", description=__doc__)
    parser.add_argument("--failures", action="store_true", help="list every sample that differs")
    parser.add_argument("--only", default="", metavar="TEXT", help="only names that contain TEXT")
    args = parser.parse_args(arguments)
    oracle.load_torch()
    warnings.simplefilter("ignore")
    return 1 if show(args.only, args.failures) else 0


if __name__ == "__main__":
    sys.exit(main())
