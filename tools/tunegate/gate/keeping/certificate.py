"""The certificate of a verdict: digests of all that it was made from, so that anybody can make it again.

It stands in `verdict.json` under `certificate`; the format is documented in docs/verdict.md.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from tunegate.cassettes.address import quote_name
from tunegate.cost import Price, Rates
from tunegate.errors import RunError
from tunegate.exchanges import canonical_json
from tunegate.gate.contest import Contest
from tunegate.gate.policy import RATING, Policy
from tunegate.gate.ratings import RATINGS
from tunegate.gate.verdict import Verdict
from tunegate.gate.verdict_file import VERDICT, to_plain
from tunegate.runs import read_run
from tunegate.runs.folder import HEADER, RECORDS

FORMAT = 1
"""Version of the certificate: it grows when a reader of the old format would misread the new one."""

Side = Literal["candidate", "baseline"]
_OTHERWISE_KEPT = frozenset({"models.toml", "prices.toml", "gates.toml"})
"""What a replay needs of the matrix stands in run.json, prices and policy stand in the verdict itself."""
_PACKAGE = frozenset({"__init__.py", "__main__.py"})


@dataclass(frozen=True)
class Certificate:
    """What a verdict was made from. Digests are SHA-256 in hex."""

    records: Mapping[Side, Mapping[str, str]]
    """Digest of each file of the run folders, by its name, as `digest_of_run_file` has it; a baseline from the same
    run has no entry of its own."""
    prompts: Mapping[Side, str | None]
    """Of all prompts of a run."""
    fixtures: Mapping[str, str]
    """Of the case files that a replay reads, by their path under fixtures/."""
    cassettes: Mapping[str, str | None]
    """By path; None where a run of several shards could not say."""
    policy: str
    prices: Mapping[str, Price | None]
    """Of the models, where a rule is on cost."""
    versions: Mapping[str, str]
    commit: str | None
    dirty: bool | None
    digest: str = ""
    """Of the whole verdict, what was accepted and this digest left out."""

    def to_plain(self) -> dict[str, Any]:
        """Return the certificate as JSON has it."""
        plain = {"format": FORMAT, **vars(self)}
        plain["prices"] = {name: asdict(price) if price else None for name, price in self.prices.items()}
        # As it will be read back, tuples and all: a digest must not depend on who computes it.
        return dict(json.loads(canonical_json(plain)))

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Certificate:
        """Read back what `to_plain` returned.

        Raises:
            RunError: it is something else, or of a newer format.
        """
        try:
            if plain["format"] > FORMAT:
                raise RunError(f"a certificate of format {plain['format']}, this tunegate reads {FORMAT}: update it")
            known = {name: value for name, value in plain.items() if name != "format"}
            _refuse_leaving(known["fixtures"], known["cassettes"], *known["records"].values())
            prices = {name: _price(price) for name, price in known["prices"].items()}
            return cls(**{**known, "prices": prices})
        except (KeyError, TypeError, AttributeError, ValueError) as problem:
            raise RunError(f"not a certificate: {problem!r}\n  `tunegate gate` writes one") from problem


def certify(verdict: Verdict, contest: Contest) -> Verdict:
    """Return the verdict with a certificate of all that `contest` made it from.

    Raises:
        RunError: a run folder cannot be read.
    """
    candidate, baseline = contest.candidate_folder, contest.baseline_folder
    folders: dict[Side, Path] = {"candidate": candidate}
    if baseline is not None and baseline.resolve() != candidate.resolve():
        folders["baseline"] = baseline
    headers = {side: read_run(folder) for side, folder in folders.items()}
    header = headers["candidate"]
    names = (RECORDS, HEADER, RATINGS) if _rates(contest.policy) else (RECORDS, HEADER)
    certificate = Certificate(
        records={side: _digests(folder, names) for side, folder in folders.items()},
        prompts={side: header.get("prompts") for side, header in headers.items()},
        fixtures=replayed_case_files(header),
        # Where both sides name a recording, its state in the candidate's run is the later one.
        cassettes={
            place: digest
            for side in reversed(folders)
            for place, digest in used_cassettes(headers[side], models_of(verdict, side, folders)).items()
        },
        policy=verdict.policy.digest,
        prices=contest.prices,
        versions=header.get("versions") or {},
        commit=header.get("commit"),
        dirty=header.get("dirty"),
    )
    bare = replace(verdict, certificate=certificate.to_plain(), accepted=None)
    digest = digest_of_verdict(to_plain(bare))
    return replace(bare, certificate=replace(certificate, digest=digest).to_plain(), accepted=verdict.accepted)


def digest_of_verdict(plain: Mapping[str, Any]) -> str:
    """Return the SHA-256 (hex) of a verdict as JSON has it, without its acceptance and without this digest."""
    kept = {key: value for key, value in plain.items() if key != "accepted"}
    kept["certificate"] = {key: value for key, value in plain["certificate"].items() if key != "digest"}
    return hashlib.sha256(canonical_json(kept).encode("ascii")).hexdigest()


def digest_of_file(path: Path) -> str | None:
    """Return the SHA-256 (hex) of a file, None where there is none.

    Raises:
        RunError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return None
    except OSError as problem:
        raise RunError(f"cannot read {path}: {problem.strerror}") from problem


def digest_of_run_file(path: Path) -> str | None:
    """Return the digest of a file of a run folder, None where there is none.

    Of run.json it is that of what it says, without the exit status: `pytest --gate` ends with that of the verdict.

    Raises:
        RunError: it cannot be read.
    """
    if path.name != HEADER or not path.is_file():
        return digest_of_file(path)
    try:
        header = json.loads(path.read_bytes())
    except OSError as problem:
        raise RunError(f"cannot read {path}: {problem.strerror}") from problem
    except ValueError:
        return digest_of_file(path)
    if isinstance(header, dict):
        header.pop("exit_status", None)
    return hashlib.sha256(canonical_json(header).encode("ascii")).hexdigest()


def read_plain(folder: Path) -> dict[str, Any]:
    """Return `verdict.json` of a folder as JSON has it, to be looked at before it is believed.

    Raises:
        RunError: there is none, or it is no JSON object with a certificate.
    """
    file = folder / VERDICT
    try:
        plain = json.loads(file.read_bytes())
    except OSError as problem:
        raise RunError(f"no verdict in {folder}: {problem.strerror}\n  make one with `tunegate gate`") from problem
    except ValueError as problem:
        raise RunError(f"{file} is not JSON: {problem}") from problem
    if not isinstance(plain, dict) or not isinstance(plain.get("certificate"), dict):
        raise RunError(f"{file} has no certificate: `tunegate gate` writes a verdict with one")
    return plain


def models_of(verdict: Verdict, side: Side, folders: Mapping[Side, Path]) -> tuple[str, ...]:
    """Return the models of a side's run that the verdict was made from."""
    candidates = [decision.candidate for decision in verdict.decisions]
    baselines = [decision.baseline for decision in verdict.decisions if decision.baseline is not None]
    if side == "baseline":
        return tuple(dict.fromkeys(baselines))
    return tuple(dict.fromkeys(candidates if "baseline" in folders else [*candidates, *baselines]))


def used_cassettes(header: Mapping[str, Any], models: Sequence[str]) -> dict[str, str | None]:
    """Return the digests of the recordings of `models` that a run used, by their paths."""
    stems = {quote_name(model) for model in models}
    return {
        place: digest for place, digest in (header.get("cassettes") or {}).items() if PurePosixPath(place).stem in stems
    }


def replayed_case_files(header: Mapping[str, Any]) -> dict[str, str]:
    """Return the digests of the case files that a replay of a run reads, by their paths under fixtures/.

    A Python package there makes case files and is none, and nobody is asked what stands in a README.
    """
    digests: Mapping[str, str] = header.get("digests") or {}
    packages = {PurePosixPath(place).parent for place in digests if PurePosixPath(place).name in _PACKAGE}
    return {
        place: digest
        for place, digest in digests.items()
        if place not in _OTHERWISE_KEPT
        and PurePosixPath(place).suffix != ".md"
        and packages.isdisjoint(PurePosixPath(place).parents)
    }


def _digests(folder: Path, names: Sequence[str]) -> dict[str, str]:
    found = {name: digest_of_run_file(folder / name) for name in names}
    return {name: digest for name, digest in found.items() if digest is not None}


def _rates(policy: Policy) -> bool:
    return any(rule.metric == RATING for rule in policy.rules)


def _price(plain: Mapping[str, Any] | None) -> Price | None:
    if plain is None:
        return None
    rates: Iterator[tuple[str, Rates | None]] = (
        (name, Rates(**plain[name]) if plain[name] else None) for name in ("live", "batch")
    )
    return Price(**{**plain, **dict(rates)})


def _refuse_leaving(*tables: Mapping[str, object]) -> None:
    """Look whether every path stays inside the project: what is named there is read and copied."""
    for table in tables:
        for place in table:
            path = PurePosixPath(place)
            if path.is_absolute() or ".." in path.parts:
                raise ValueError(f"{place!r} leads out of the project")
