"""A lesson of three cells, the smallest the builder takes, and ways to build and change it in a temporary folder."""

import shutil
from pathlib import Path

HEADER = """# %% [markdown]
# # Toy
# **You will be able to** double. **Before you start** nothing. **Your time**: 1 minute. **Machine time**: 1 second.
# ## Recap
# ## Self-test
# ## Further reading
# ## Exercise: double a number
# Write the line.
"""
ANSWER = """
# %% exercise={"id": "99-double", "points": 2, "minutes": 1, "difficulty": 1, "path": "core"}
def double(number):
    ### BEGIN SOLUTION
    twice_the_number = number + number  # a line that is telling
    return twice_the_number
    ### END SOLUTION
"""
CHECK = """
# %% check="99-double"
print("✓ 99-double: passed (2 points)" if double(3) == 6 else "○ 99-double: not attempted yet")
### BEGIN HIDDEN TESTS
assert double(4) == 8
### END HIDDEN TESTS
"""
TOY = HEADER + ANSWER + CHECK


def write(root: Path, text: str = TOY, name: str = "99_toy") -> Path:
    """Writes a lesson source under a root."""
    path = root / "course" / "lessons" / f"{name}.py"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def copied(built: Path, root: Path) -> Path:
    """Copies a built root, so that a test may spoil it."""
    return Path(shutil.copytree(built, root / "clone"))


def contents(root: Path) -> dict[str, bytes]:
    """Returns the bytes of all notebooks under a root."""
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.glob("*/*.ipynb"))}
