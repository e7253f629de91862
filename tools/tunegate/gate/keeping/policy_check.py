"""Whether the policy of a kept verdict is still the one in force."""

from __future__ import annotations

from pathlib import Path

from tunegate.errors import CaseFileError
from tunegate.gate.keeping.certificate import Certificate
from tunegate.gate.keeping.differences import Difference, first_difference
from tunegate.gate.policy import Policy
from tunegate.gate.policy_file import load_policy


def compare_policy(policy: Policy, *, certificate: Certificate, fixtures: Path) -> Difference | None:
    """Return how a kept policy differs from its digest or from the file that it was read from, None if it does not.

    A file that is not here any more has no say: the rules stand in the verdict.
    """
    if policy.digest != certificate.policy:
        return Difference("the policy in verdict.json", f"SHA-256 {certificate.policy}", f"SHA-256 {policy.digest}")
    file = Path(policy.origin)
    if not file.is_file():
        return None
    try:
        here = load_policy(file, fixtures=fixtures)
    except CaseFileError as problem:
        return Difference(policy.origin, "the policy of this verdict", str(problem))
    if here.digest == policy.digest:
        return None
    difference = first_difference(policy.to_plain(), here.to_plain())
    if difference is None:
        return None
    return Difference(
        f"{policy.origin}, {difference.place}",
        difference.wanted,
        difference.found,
        note=f"{policy.origin} differs from the policy of this verdict",
    )
