"""What unknown secrets look like: keys, tokens, passwords in addresses."""

from __future__ import annotations

import re

# A token starts where no word goes on; the "n" of an escaped line break ("\nsk-...") is no word.
_START = r"(?:(?<![A-Za-z0-9])|(?<=\\[nrtbf]))"
_RANDOM = r"(?=[A-Za-z0-9]*[0-9A-Z])"
_SHAPES = tuple(
    (hints, re.compile(pattern))
    for hints, pattern in (
        # OpenAI and its relatives: sk-..., sk-proj-..., sk-ant-api03-...; one long stretch that is no word.
        (
            ("sk-",),
            _START
            + r"sk-(?=[A-Za-z0-9_-]*?(?:(?=[A-Za-z]{0,15}[0-9])[A-Za-z0-9]{16}|[A-Za-z0-9]{32}))"
            + r"[A-Za-z0-9_-]{16,}",
        ),
        (("org-", "proj_", "user-"), _START + r"(?:org-|proj_|user-)" + _RANDOM + r"[A-Za-z0-9]{20,}"),
        (
            ("bearer",),
            _START + r"(?i:bearer)[ \t]+(?P<secret>(?=[A-Za-z._~+/-]*[0-9])[A-Za-z0-9._~+/-]{16,}=*)",
        ),
        (("basic",), _START + r"(?i:basic)[ \t]+(?P<secret>(?=[A-Za-z+/]*[0-9])[A-Za-z0-9+/]{16,}=*)"),
        (("akia", "asia"), _START + r"(?:AKIA|ASIA)[0-9A-Z]{16}(?![0-9A-Za-z])"),
        (("eyj",), _START + r"eyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]*"),
        (("aiza",), _START + r"AIza[A-Za-z0-9_-]{35}"),
        (("hf_", "gsk_"), _START + r"(?:hf_[A-Za-z0-9]{30,}|gsk_[A-Za-z0-9]{40,})"),
        (("ghp_", "gho_", "ghu_", "ghs_", "ghr_"), _START + r"gh[pousr]_[A-Za-z0-9]{36,}"),
        (("://",), r"://(?P<secret>[^/?#\s:@\"'<>\\]+:[^/?#\s@\"'<>\\]+)@"),
        (
            ("key=", "token=", "sig=", "signature="),
            r"(?i:[?&](?:key|token|access[-_]?token|sig|signature|x-amz-signature|x-amz-security-token)="
            r"|" + _START + r"api[-_]?key=)(?P<secret>(?=[A-Za-z._~%+/-]*[0-9])[A-Za-z0-9._~%+/-]{12,}=*)",
        ),
    )
)
"""Each with what it cannot do without, in lower case: looking for that is a hundred times cheaper."""
_HINTS = tuple((hint, pattern) for hints, pattern in _SHAPES for hint in hints)
_RARE = tuple((part, tuple(pair for pair in _HINTS if part in pair[0])) for part in ("gh", "="))
"""Hints that share a part, which most texts lack."""
_OTHERS = tuple(pair for pair in _HINTS if not any(part in pair[0] for part, _ in _RARE))


def shapes_hinted_at(text: str) -> set[re.Pattern[str]]:
    """Return the patterns worth looking for in `text`; what is secret is their group `secret`, else all of it."""
    lowered = text.lower()
    patterns = {pattern for hint, pattern in _OTHERS if hint in lowered}
    for part, pairs in _RARE:
        if part in lowered:
            patterns.update(pattern for hint, pattern in pairs if hint in lowered)
    return patterns
