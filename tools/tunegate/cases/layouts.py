"""The files a bank lies in: what each path holds, by its name alone, and who reads it.

<folder>/{test,dev,train,val}/<subject>_<split>.csv     MMLU as its authors gave it
<folder>/<subject>.csv, <folder>/<subject>_<split>.csv  the same without folders
<folder>/<split>.jsonl                                  JSON lines
<folder>/[all/]<split>-00000-of-00001.parquet           MMLU as the hub keeps it
<file>.csv, <file>.jsonl, <file>.parquet                one file: its questions are the test part
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path, PurePosixPath

from tunegate.cases.banks import Bank, Reading, Sheet
from tunegate.cases.csv_rows import read_csv
from tunegate.cases.hub import locate_mmlu
from tunegate.cases.json_rows import SPLITS, read_jsonl
from tunegate.cases.names import list_names, shorten, show_path
from tunegate.cases.parquet_rows import read_parquet
from tunegate.cases.questions import Question
from tunegate.cases.rows import Place, check_subject
from tunegate.errors import CaseFileError

KINDS = (".csv", ".jsonl", ".parquet")
MMLU = "mmlu"


def read_bank(where: str | Path, *, download: bool = False) -> Bank:
    """Find the questions at `where`, a file or a folder, or `mmlu` for MMLU in the hub's cache.

    The names are looked at now, the questions when their part is asked for. A folder that is called `mmlu` is
    `./mmlu`. Only `mmlu` with `download` reaches the network.

    Raises:
        CaseFileError: there is nothing, or nothing that can be told for questions.
    """
    if where == MMLU:
        return Bank(MMLU, _sheets_of_folder(locate_mmlu(download=download)))
    path = Path(where)
    try:
        return Bank(str(where), _sheets(path))
    except (OSError, ValueError) as problem:
        # A folder that may not be listed, a name too long for the system, a NUL in it.
        raise CaseFileError(f"no questions at {shorten(str(where))}: {problem}") from problem


def _sheets(path: Path) -> list[Sheet]:
    if path.is_dir():
        return _sheets_of_folder(path)
    if not path.exists():
        raise CaseFileError(_no_such(path))
    if path.suffix.lower() not in KINDS:
        Place(path).refuse(wanted=f"a folder or a file of questions ({', '.join(KINDS)})", found="another file")
    return _sheets_of_file(path)


def _sheets_of_file(path: Path) -> list[Sheet]:
    name = path.name
    match path.suffix.lower():
        case ".csv":
            return [_csv_sheet(path, name=name, part="test", subject=_split_stem(path.stem)[0])]
        case ".parquet":
            return [_parquet_sheet(path, name=name, part="test")]
        case _:
            # Which parts it has stands in its lines, so it is read now to know them and again for each.
            present = read_jsonl(_read_bytes(path), path=path)
            return [_jsonl_sheet(path, name=name, part=part, named=None) for part in present or ["test"]]


def _sheets_of_folder(root: Path) -> list[Sheet]:
    top = root
    if (top / "all").is_dir():
        # The hub's snapshot keeps every subject twice: in a folder of its own, and in `all`.
        root = top / "all"
    files = sorted(_question_files(root))
    if not files:
        Place(root).refuse(wanted=f"files of questions ({', '.join(KINDS)})", found=_contents(root))
    kinds = sorted({path.suffix.lower() for path in files})
    if len(kinds) > 1:
        Place(root).refuse(wanted="files of one kind", found=" and ".join(kinds))
    return [_sheet(path, root=root, top=top) for path in files]


def _question_files(root: Path) -> Iterable[Path]:
    for path in (*root.glob("*"), *root.glob("*/*")):
        hidden = any(name.startswith((".", "_")) for name in path.relative_to(root).parts)
        if path.suffix.lower() in KINDS and not hidden and path.is_file():
            yield path


def _sheet(path: Path, *, root: Path, top: Path) -> Sheet:
    name = path.relative_to(top).as_posix()
    by_folder = SPLITS.get(path.parent.name) if path.parent != root else None
    match path.suffix.lower():
        case ".csv":
            subject, by_name = _split_stem(path.stem)
            if path.parent != root and by_folder is None:
                Place(path).refuse(wanted=f"a folder named for a split ({', '.join(SPLITS)})", found=path.parent.name)
            if by_folder is None:
                return _csv_sheet(path, name=name, part=by_name or "test", subject=subject)
            if by_name not in (by_folder, None):
                Place(path).refuse(
                    wanted=f"one split for the file: its folder says {by_folder}",
                    found=f"its name says {by_name}",
                )
            return _csv_sheet(path, name=name, part=by_folder, subject=subject)
        case ".parquet":
            stem = path.stem.partition("-")[0]
            return _parquet_sheet(path, name=name, part=_named_part(stem, path=path, by_folder=by_folder))
        case _:
            part = _named_part(path.stem, path=path, by_folder=by_folder)
            return _jsonl_sheet(path, name=name, part=part, named=part)


def _named_part(stem: str, *, path: Path, by_folder: str | None) -> str:
    part = SPLITS.get(stem) or by_folder
    if part is None:
        Place(path).refuse(wanted=f"a file or folder named for a split ({', '.join(SPLITS)})", found=path.name)
    return part


def _split_stem(stem: str) -> tuple[str, str | None]:
    for split, part in SPLITS.items():
        if stem.endswith(f"_{split}") and stem != f"_{split}":
            return stem.removesuffix(f"_{split}"), part
    return stem, None


def _csv_sheet(path: Path, *, name: str, part: str, subject: str) -> Sheet:
    check_subject(subject, place=Place(path))
    return Sheet(name, part, _reader(path, lambda content: read_csv(content, path=path, subject=subject)))


def _parquet_sheet(path: Path, *, name: str, part: str) -> Sheet:
    return Sheet(name, part, _reader(path, lambda content: read_parquet(content, path=path, part=part)))


def _jsonl_sheet(path: Path, *, name: str, part: str, named: str | None) -> Sheet:
    return Sheet(name, part, _reader(path, lambda content: read_jsonl(content, path=path, part=named).get(part, [])))


def _reader(path: Path, parse: Callable[[bytes], Sequence[Question]]) -> Callable[[], Reading]:
    def read() -> Reading:
        content = _read_bytes(path)
        return Reading(questions=parse(content), sha256=hashlib.sha256(content).hexdigest())

    return read


def _read_bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as problem:
        raise CaseFileError(f"{show_path(path)}: wanted a readable file, found {problem.strerror}") from problem


def _contents(root: Path) -> str:
    names = sorted(path.name for path in root.iterdir())
    return list_names("", names) if names else "an empty folder"


def _no_such(path: Path) -> str:
    there = path.parent
    while not there.is_dir():
        there = there.parent
    names = sorted(entry.name for entry in there.iterdir())
    wanted = PurePosixPath(path.relative_to(there).as_posix()).parts[0]
    return (
        f"no questions at {path}: no such file or folder\n"
        f"  looked in {show_path(there)}, which holds: {list_names(wanted, names)}\n"
        f"  to use MMLU from the Hugging Face hub: --questions {MMLU}"
    )
