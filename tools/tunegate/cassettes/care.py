"""Looking after recordings: what there is, what is wrong with it, what is no longer needed."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from tunegate.cassettes.cassette import Cassette
from tunegate.cassettes.content import read_cassette
from tunegate.cassettes.entry import Entry
from tunegate.cassettes.library import Library
from tunegate.cassettes.redaction import Redactor
from tunegate.cassettes.shelf import index_journal
from tunegate.errors import CassetteError
from tunegate.exchanges import Exchange

_TELLING_HEADERS = frozenset(
    {
        "api-key",
        "authorization",
        "cookie",
        "openai-organization",
        "openai-project",
        "set-cookie",
        "x-api-key",
    }
)
"""Headers that are a secret or name an account, whatever their value; stock vcrpy writes them down."""

Kind = Literal["unreadable", "secret", "models differ", "old", "unused"]


@dataclass(frozen=True)
class Summary:
    """One cassette, journals included."""

    eval: str
    model: str
    path: Path
    interactions: int
    repeats: tuple[int, ...]
    first_recorded_at: str | None
    """UTC, ISO 8601; None where no recording says."""
    last_recorded_at: str | None
    server_models: tuple[str, ...]
    """The models the server named, in order of their names."""
    size_bytes: int
    """Of the files, without journals."""
    journals: int
    """Journals that are not merged yet."""
    problem: str | None = None
    """Why it cannot be read; then the interactions are not counted."""


@dataclass(frozen=True)
class Finding:
    """Something about a cassette that a person should look at."""

    kind: Kind
    path: Path
    message: str
    """What was found and where in the file, without any secret."""


@dataclass(frozen=True)
class Pruned:
    """What pruning removed from one cassette."""

    path: Path
    removed: tuple[str, ...]
    """Case (or request) and repeat of each."""
    kept: int


@dataclass(frozen=True)
class Shown:
    """One recording, for reading."""

    fingerprint: str
    case: str
    request_json: str
    """The body of the request, indented."""
    exchange: Exchange

    @property
    def reply(self) -> str:
        """The text of the reply where the notes have it, else the body."""
        text = self.exchange.note.get("text")
        return text if isinstance(text, str) else self.exchange.body.decode("utf-8", "replace")


def list_cassettes(library: Library) -> list[Summary]:
    """Describe every cassette, ordered by eval and model; one that cannot be read says why."""
    return [_summary(cassette) for cassette in library.cassettes()]


def check_cassettes(
    library: Library,
    *,
    older_than_days: float | None = None,
    now: datetime | None = None,
    used: Collection[tuple[str, int]] | None = None,
) -> list[Finding]:
    """Look for what is wrong in all cassettes and journals.

    Args:
        library: its redactor says what counts as a secret.
        older_than_days: report recordings made more days than that before `now`; None reports none.
        now: an aware time; the clock's where it is None.
        used: (fingerprint, repeat) of what a run asked for; other recordings are reported as unused.
    """
    moment = now or datetime.now(UTC)
    findings: list[Finding] = []
    for cassette in library.cassettes():
        for path in [*cassette.files(), *cassette.journals()]:
            findings.extend(_check_file(path, redactor=library.redactor))
        try:
            entries = cassette.entries()
        except CassetteError:
            continue  # Reported with its file above.
        findings.extend(_check_models(cassette, entries=entries))
        if older_than_days is not None:
            findings.extend(_check_age(cassette, entries=entries, days=older_than_days, now=moment))
        if used is not None:
            unused = [entry.name for entry in entries if entry.key not in used]
            if unused:
                message = f"{len(unused)} of {len(entries)} recordings unused: {_first_of(unused)}"
                findings.append(Finding("unused", cassette.path, message))
    return findings


def prune_cassette(
    cassette: Cassette, *, used: Collection[tuple[str, int]], force: bool = False, dry_run: bool = False
) -> Pruned:
    """Remove the recordings that are not in `used`, at once or (killed meanwhile) not at all.

    Journals are folded in first, but for those of processes that still record; stock vcrpy's YAML is left
    alone. With `dry_run` nothing is written.

    Raises:
        CassetteError: nothing would be left and `force` is not given, or the cassette is damaged.
    """
    if not dry_run:
        cassette.merge()
    entries = cassette.rewritable()
    unused = sorted((entry for entry in entries if entry.key not in used), key=lambda entry: entry.name)
    if entries and len(unused) == len(entries) and not force:
        raise CassetteError(
            f"pruning would empty {cassette.eval_name!r} of {cassette.model!r} entirely: none of its "
            f"{len(entries)} recordings was used; remove the file, or force it"
        )
    if unused and not dry_run:
        cassette.drop({(entry.key.fingerprint, entry.key.repeat) for entry in unused})
    return Pruned(cassette.path, tuple(entry.name for entry in unused), len(entries) - len(unused))


def show_recordings(cassette: Cassette, *, name: str, repeat: int | None = None) -> list[Shown]:
    """Return the recordings whose case is `name`, or whose fingerprint starts with it, ordered by repeat.

    Raises:
        CassetteError: there is none, or it is damaged.
    """
    entries = cassette.entries()
    named = [entry for entry in entries if entry.case == name]
    if not named and name:
        named = [entry for entry in entries if entry.key.fingerprint.startswith(name)]
    found = [entry for entry in named if repeat in (None, entry.key.repeat)]
    if not found:
        cases = sorted({entry.case for entry in entries if entry.case})
        known = f"; recorded are {_first_of(cases)}" if cases else ""
        wanted = f"{name!r}" if repeat is None else f"{name!r}, repeat {repeat},"
        raise CassetteError(f"no recording of {wanted} in {cassette.path.as_posix()}{known}")
    return [_shown(entry) for entry in sorted(found, key=lambda entry: (entry.key.repeat, entry.key))]


def _summary(cassette: Cassette) -> Summary:
    problem: str | None = None
    try:
        entries = cassette.entries()
        models = _server_models(entries)
    except CassetteError as trouble:
        entries, models, problem = [], (), str(trouble)
    moments = sorted(entry.recorded_at for entry in entries if entry.recorded_at)
    return Summary(
        eval=cassette.eval_name,
        model=cassette.model,
        path=cassette.path,
        interactions=len(entries),
        repeats=tuple(sorted({entry.key.repeat for entry in entries})),
        first_recorded_at=moments[0] if moments else None,
        last_recorded_at=moments[-1] if moments else None,
        server_models=models,
        size_bytes=sum(path.stat().st_size for path in cassette.files() if path.exists()),
        journals=len(cassette.journals()),
        problem=problem,
    )


def _shown(entry: Entry) -> Shown:
    exchange = entry.exchange()
    body = json.dumps(exchange.request.body, ensure_ascii=False, indent=2)
    return Shown(entry.key.fingerprint, entry.case, body, exchange)


def _server_models(entries: Collection[Entry]) -> tuple[str, ...]:
    return tuple(sorted({model for entry in entries if (model := entry.server_model())}))


def _check_models(cassette: Cassette, *, entries: Collection[Entry]) -> list[Finding]:
    try:
        models = _server_models(entries)
    except CassetteError:
        return []
    if len(models) < 2:
        return []
    message = f"the server named {len(models)} models: {', '.join(models)}; they are not one measurement"
    return [Finding("models differ", cassette.path, message)]


def _check_age(cassette: Cassette, *, entries: Collection[Entry], days: float, now: datetime) -> list[Finding]:
    old: list[str] = []
    for entry in entries:
        try:
            recorded = datetime.fromisoformat(entry.recorded_at)
        except ValueError:
            continue
        aware = recorded if recorded.tzinfo else recorded.replace(tzinfo=UTC)
        if (now - aware).total_seconds() > days * 86400:
            old.append(f"{entry.name} ({entry.recorded_at})")
    if not old:
        return []
    message = f"{len(old)} of {len(entries)} recorded more than {days:g} days ago: {_first_of(sorted(old))}"
    return [Finding("old", cassette.path, message)]


def _check_file(path: Path, *, redactor: Redactor) -> list[Finding]:
    """Read every interaction of a file whole, and look at all its text for secrets."""
    try:
        entries: list[Entry] = []
        if path.suffix == ".jsonl":
            journal = index_journal(path)
            entries = [*journal.values(), *journal.shadowed]
        elif content := read_cassette(path):
            entries = [*content.entries.values(), *content.shadowed]
    except CassetteError as problem:
        return [Finding("unreadable", path, str(problem))]
    findings: list[Finding] = []
    for entry in entries:
        try:
            entry.exchange()
            place = _secret_place(entry, redactor=redactor)
        except CassetteError as problem:
            findings.append(Finding("unreadable", path, str(problem)))
            continue
        if place:
            message = f"{entry.name} holds what looks like a secret in its {place}"
            findings.append(Finding("secret", path, message))
    return findings


def _secret_place(entry: Entry, *, redactor: Redactor) -> str | None:
    """Return the part of a recording that holds what looks like a secret; None where none does."""
    plain = entry.plain()
    request, response = plain["request"], plain["response"]
    exchange = entry.exchange()
    notes = response.get("tunegate") or {}
    text = str(request.get("body") or "")
    sent = {name.lower() for name in request.get("headers") or {}}
    received = {name.lower() for name in response.get("headers") or {}}
    found = {
        "address": redactor.url(request["uri"]) != request["uri"],
        "request": redactor.value(exchange.request.body) != exchange.request.body or redactor.text(text) != text,
        "request headers": bool(sent & _TELLING_HEADERS),
        "response": redactor.bytes(exchange.body) != exchange.body,
        "response headers": bool(received & _TELLING_HEADERS),
        "notes": redactor.value(notes) != notes,
    }
    return next((place for place, is_there in found.items() if is_there), None)


def _first_of(names: Collection[str], *, count: int = 3) -> str:
    shown = ", ".join(list(names)[:count])
    return f"{shown}, and {len(names) - count} more" if len(names) > count else shown
