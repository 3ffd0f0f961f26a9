"""Finds a copy of MathJax that a site can carry along, so that formulas need no network to be read."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import Any

VERSION = "3.2.2"
SHA256 = "1b9c0a1c44df864e915690558e72adb9cc5203360daefd385084ced3b6c64c09"
SCRIPT = "tex-mml-chtml.js"
SECONDS = 120
NOTE = (
    f"MathJax {VERSION} is not here and npm could not fetch it, so formulas stay TeX source; install Node's npm, "
    "or set VPCOURSE_MATHJAX to MathJax's folder es5"
)


def mathjax() -> Path:
    """Returns the folder that holds MathJax's script and its fonts.

    The folder named by VPCOURSE_MATHJAX is taken first, then the copy an earlier export kept in the user's cache;
    only when both are missing does npm fetch the package.

    Raises:
        OSError: there is no copy, and npm is missing, fails, or gives another package than the known one.
    """
    named = os.environ.get("VPCOURSE_MATHJAX")
    kept = _cache() / f"mathjax-{VERSION}"
    for folder in [Path(named)] if named else [kept]:
        if (folder / SCRIPT).is_file():
            return folder
    if named:
        raise OSError(f"VPCOURSE_MATHJAX must name a folder that holds {SCRIPT}, got {named}; correct or unset it")
    with tempfile.TemporaryDirectory(prefix="vpcourse-mathjax-") as folder:
        _fetch(Path(folder))
        kept.parent.mkdir(parents=True, exist_ok=True)
        aside = Path(tempfile.mkdtemp(prefix=".mathjax-", dir=kept.parent))
        shutil.copytree(Path(folder) / "package" / "es5", aside / "es5")
        if not kept.is_dir():
            os.replace(aside / "es5", kept)
        shutil.rmtree(aside)
    return kept


def _fetch(folder: Path) -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise OSError(NOTE)
    command = [npm, "pack", "--silent", f"mathjax@{VERSION}"]
    try:
        subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=SECONDS)
    except (subprocess.SubprocessError, OSError) as error:
        raise OSError(NOTE) from error
    unpack(folder / f"mathjax-{VERSION}.tgz", folder)


def unpack(package: Path, folder: Path) -> None:
    """Unpacks MathJax after comparing its hash.

    Raises:
        OSError: the package is missing or is not the known one.
    """
    found = hashlib.sha256(package.read_bytes()).hexdigest() if package.is_file() else "no file"
    if found != SHA256:
        raise OSError(f"{package.name} must have the SHA-256 {SHA256}, got {found}; fetch it again")
    with tarfile.open(package) as archive:
        known = hasattr(tarfile, "data_filter")  # Python 3.11.0 to 3.11.3 have none
        safe: dict[str, Any] = {"filter": "data"} if known else {}
        archive.extractall(folder, **safe)


def _cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "vpcourse"
