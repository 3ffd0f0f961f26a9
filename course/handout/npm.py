"""Finds packages of npm that a page carries along, so that it needs no network to be read."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SECONDS = 120


@dataclass(frozen=True)
class Package:
    """One release of a package.

    Attributes:
        name: on npm.
        version: the only one that is taken.
        sha256: of the packed release.
        part: the folder of the release that is kept.
        script: a file that this folder must hold.
        variable: an environment variable that may name a copy of this folder.
        without: what a page lacks when the package is missing.
    """

    name: str
    version: str
    sha256: str
    part: str
    script: str
    variable: str
    without: str

    @property
    def note(self) -> str:
        """What is said when the package is missing."""
        get = f"install Node's npm, or set {self.variable} to its folder {self.part}"
        return f"{self.name} {self.version} is not here and npm could not fetch it, so {self.without}; {get}"


MATHJAX = Package(
    "mathjax", "3.2.2", "1b9c0a1c44df864e915690558e72adb9cc5203360daefd385084ced3b6c64c09",
    "es5", "tex-mml-chtml.js", "VPCOURSE_MATHJAX", "formulas stay TeX source",
)  # fmt: skip
REVEAL = Package(
    "reveal.js", "4.6.1", "4f4121ef2b8e7e9398bdecd7b3b6ce5e0ee3a2f5af221708eb6c4ce03bcae6be",
    "dist", "reveal.js", "VPCOURSE_REVEAL", "there can be no slides",
)  # fmt: skip


def folder_of(package: Package) -> Path:
    """Returns the folder that holds the package's files.

    The folder named by its variable is taken first, then the copy an earlier export kept in the user's cache; only when
    both are missing does npm fetch the package.

    Raises:
        OSError: there is no copy, and npm is missing, fails, or gives another package than the known one.
    """
    named = os.environ.get(package.variable)
    kept = _cache() / f"{package.name}-{package.version}"
    folder = Path(named) if named else kept
    if (folder / package.script).is_file():
        return folder
    if named:
        raise OSError(f"{package.variable} must name a folder that holds {package.script}, got {named}; correct it")
    with tempfile.TemporaryDirectory(prefix="vpcourse-npm-") as work:
        _fetch(package, Path(work))
        kept.parent.mkdir(parents=True, exist_ok=True)
        aside = Path(tempfile.mkdtemp(prefix=".npm-", dir=kept.parent))
        shutil.copytree(Path(work) / "package" / package.part, aside / package.part)
        if not kept.is_dir():
            os.replace(aside / package.part, kept)
        shutil.rmtree(aside)
    return kept


def _fetch(package: Package, folder: Path) -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise OSError(package.note)
    command = [npm, "pack", "--silent", f"{package.name}@{package.version}"]
    try:
        subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=SECONDS)
    except (subprocess.SubprocessError, OSError) as error:
        raise OSError(package.note) from error
    unpack(folder / f"{package.name}-{package.version}.tgz", package.sha256, folder)


def unpack(packed: Path, sha256: str, folder: Path) -> None:
    """Unpacks a release after comparing its hash.

    Raises:
        OSError: the file is missing or is not the known release.
    """
    found = hashlib.sha256(packed.read_bytes()).hexdigest() if packed.is_file() else "no file"
    if found != sha256:
        raise OSError(f"{packed.name} must have the SHA-256 {sha256}, got {found}; fetch it again")
    with tarfile.open(packed) as archive:
        known = hasattr(tarfile, "data_filter")  # Python 3.11.0 to 3.11.3 have none
        safe: dict[str, Any] = {"filter": "data"} if known else {}
        archive.extractall(folder, **safe)


def _cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "vpcourse"
