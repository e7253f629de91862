"""What was handed in to be answered in batches, on disk, so that no kill makes us hand it in twice."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from tunegate.cases import Endpoint
from tunegate.cassettes.durability import only_process_in, sync_folder
from tunegate.errors import RunError

FORMAT = 1
KEPT_FOR_S = 30 * 24 * 60 * 60.0
"""The API deletes a batch's files after 30 days; what we know of them is then worth nothing."""


@dataclass(frozen=True)
class Submission:
    """One batch, from the intent to hand it in to the moment when all its lines are kept."""

    token: str
    """Random; the batch carries it at its endpoint, by which it is found if we are killed before learning its id."""
    base_url: str
    key_env: str | None
    """Names the account, together with the address."""
    model: str
    attempt: int
    """Which attempt at its lines this is, from 1."""
    created_at: float
    """Unix time in seconds."""
    lines: Mapping[str, str]
    """The fingerprint of each request by its key, in the order of the file."""
    file_id: str | None = None
    batch_id: str | None = None

    def belongs_to(self, endpoint: Endpoint) -> bool:
        """Whether it was handed in there, with the same key."""
        return (self.base_url, self.key_env) == (endpoint.base_url, endpoint.key_env)


class SubmissionFolder:
    """Holds a file for each submission, and beside it the keys of the lines that are kept already."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes out of the folder: two that resume it would both hand in what is missing.

        Raises:
            UsageError: another process is at work with it.
            RunError: nothing can be written there.
            CassetteError: this system has no file locks (Windows).
        """
        busy = (
            f"another process waits for the batches in {self.path}\n"
            "  let it finish, or stop it: this command then goes on with its batches"
        )
        with only_process_in(self.path, lock="lock", to_keep="batches", busy=busy):
            yield

    def load(self, *, now: float) -> list[Submission]:
        """Return what was handed in and is not yet kept, the oldest first; `now` is Unix time in seconds.

        Raises:
            RunError: a file in the folder is damaged.
        """
        for draft in self.path.glob("*.draft"):  # of a process that was killed
            draft.unlink()
        found = [self._read(path) for path in self.path.glob("*.json")]
        for stale in [submission for submission in found if now - submission.created_at > KEPT_FOR_S]:
            self.forget(stale)
            found.remove(stale)
        return sorted((left for left in found if left.lines), key=lambda submission: submission.created_at)

    def keep(self, submission: Submission) -> None:
        """Write a submission as it stands; when this returns, it outlives a crash of the machine."""
        path = self._path(submission)
        draft = path.with_suffix(".draft")
        with draft.open("w", encoding="ascii") as file:
            json.dump({"format": FORMAT, **asdict(submission)}, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, path)
        sync_folder(self.path)

    def note_kept(self, submission: Submission, key: str) -> None:
        """Note that a line needs nothing more. One that a kill leaves unnoted is read once more, never asked."""
        with self._path(submission).with_suffix(".kept").open("a", encoding="ascii") as file:
            # A line of its own even where a kill has torn the one before.
            file.write(f"\n{json.dumps(key)}\n")

    def settle(self, submission: Submission, *, done: Collection[str]) -> None:
        """Let go of the lines that are `done`, and of the submission when there are no others.

        The others are lines that this command did not want: they wait for one that does.
        """
        left = {key: value for key, value in self._read(self._path(submission)).lines.items() if key not in done}
        if not left:
            self.forget(submission)
        else:
            self.keep(replace(submission, lines=left))
            self._path(submission).with_suffix(".kept").unlink(missing_ok=True)

    def forget(self, submission: Submission) -> None:
        """Remove what is written of a submission."""
        path = self._path(submission)
        path.unlink(missing_ok=True)
        path.with_suffix(".kept").unlink(missing_ok=True)

    def describe(self, submission: Submission) -> str:
        """Say where a submission is written."""
        return str(self._path(submission))

    def _path(self, submission: Submission) -> Path:
        return self.path / f"{submission.token}.json"

    def _read(self, path: Path) -> Submission:
        """Return the submission in a file, without the lines that are kept."""
        try:
            value = json.loads(path.read_bytes())
            if value.pop("format") != FORMAT:
                raise RunError(f"{path} was written by another version of tunegate\n  finish its batch with that one")
            submission = Submission(**value)
        except (OSError, ValueError, LookupError, TypeError, AttributeError) as problem:
            raise RunError(
                f"{path} is damaged: {problem}\n  remove it to hand in its requests anew, which pays for them again"
            ) from problem
        kept = set(_read_keys(path.with_suffix(".kept")))
        lines = {key: value for key, value in submission.lines.items() if key not in kept}
        return replace(submission, lines=lines)


def new_token() -> str:
    """Return a token that no other submission has."""
    return secrets.token_hex(16)


def _read_keys(path: Path) -> Iterator[str]:
    """Yield the keys in a file that may not exist; of a line that a kill has torn nothing can be read."""
    for line in path.read_bytes().splitlines() if path.exists() else ():
        with suppress(ValueError):
            yield json.loads(line)
