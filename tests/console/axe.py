"""axe-core, which looks for faults of accessibility: fetched from npm for the tests alone, and never part of the product.

`python -m tests.console.axe` fetches it into a folder that git ignores.
"""

import base64
import hashlib
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

VERSION = "4.14.1"
SHA512 = "FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ=="
FILE = Path(__file__).parents[2] / ".cache" / f"axe-core-{VERSION}.min.js"


def fetch() -> Path:
    """The file, fetched unless it is there. Raises CalledProcessError, ValueError."""
    if FILE.exists():
        return FILE
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(
            ["npm", "pack", "--silent", f"axe-core@{VERSION}", "--pack-destination", folder],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        package = Path(folder) / f"axe-core-{VERSION}.tgz"
        if base64.b64encode(hashlib.sha512(package.read_bytes()).digest()).decode() != SHA512:
            raise ValueError(f"axe-core {VERSION} is not what it was when its digest was written down")
        with tarfile.open(package) as archive:
            inside = archive.extractfile("package/axe.min.js")
            if inside is None:
                raise ValueError("axe.min.js is not in the package")
            FILE.parent.mkdir(exist_ok=True)
            FILE.write_bytes(inside.read())
    return FILE


if __name__ == "__main__":
    sys.stdout.write(f"{fetch()}\n")
