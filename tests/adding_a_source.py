"""`python -m tests.adding_a_source`: proves that a new source is one file and one folder of samples.

Copies the tree, copies an adapter there under another name with its samples, touches nothing else by hand, and runs the
whole conformance suite and the whole house over the newcomer.
"""

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
FROM, TO = "eduzz", "newcomer"
PAGES = ("README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", "LICENSE", "docs")
PARTS = ("adapters", "app", "migrations", "tests", "pyproject.toml", *PAGES)


def main() -> int:
    """Ends with 0 when the newcomer passes and is listed."""
    with tempfile.TemporaryDirectory(prefix="adding-a-source-") as name:
        tree = Path(name)
        for part in PARTS:
            if (ROOT / part).is_dir():
                shutil.copytree(ROOT / part, tree / part, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(ROOT / part, tree / part)
        text = (tree / "adapters" / f"{FROM}.py").read_text("utf-8")
        text = re.sub(rf'(name, title, origin = )"{FROM}"', rf'\1"{TO}"', text)
        (tree / "adapters" / f"{TO}.py").write_text(text, "utf-8")
        samples = tree / "adapters" / "samples"
        shutil.copytree(samples / FROM, samples / TO)
        for command in (
            ["-m", "adapters", "--write", "docs/sources.md", "README.md"],  # the tables are made from the declarations
            ["-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/test_conformance.py", "-k", TO],
            ["-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/test_whole_house.py", "-k", f"{TO} and sqlite"],
            ["-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/test_readme.py"],
        ):
            done = subprocess.run([sys.executable, *command], cwd=tree, check=False)
            if done.returncode:
                return done.returncode
        return 0 if f"| `{TO}` |" in (tree / "docs" / "sources.md").read_text("utf-8") else 1


if __name__ == "__main__":
    raise SystemExit(main())
