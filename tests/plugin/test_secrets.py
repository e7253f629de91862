"""Nothing that a recording run writes holds a secret, whoever put it there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from tunegate.testing import Scripted, ScriptedEndpoint

from ..project import Project, answer

KEY = "odd-shaped-key-7f3a9c"
OPENAI_KEY = "sk-proj-A1b2C3d4E5f6G7h8I9j0K1l2M3n4"
ORGANISATION = "org-Q1w2E3r4T5y6U7i8O9p0A1s2"
PROJECT = "proj_Z1x2C3v4B5n6M7a8S9d0F1g2"
COOKIE = "session=cookiecookiecookie"
SECRETS = (KEY, OPENAI_KEY, ORGANISATION, PROJECT, "cookiecookie")


@pytest.fixture
def endpoint() -> Iterator[ScriptedEndpoint]:
    """An endpoint that repeats every secret it hears: in headers, in replies and in errors."""

    def tell(body: Mapping[str, Any]) -> Scripted:
        headers = {
            "Set-Cookie": COOKIE,
            "openai-organization": ORGANISATION,
            "openai-project": PROJECT,
            "x-request-id": "req_1",
        }
        if body["model"] == "prose":
            return Scripted(f"Incorrect API key provided: {KEY} for {ORGANISATION}", status=401, headers=headers)
        said = answer(body)
        return Scripted(f"{said} {KEY} {OPENAI_KEY} {ORGANISATION} {PROJECT}", headers=headers)

    with ScriptedEndpoint(tell) as running:
        yield running


@pytest.mark.parametrize("stream", ["--stream", "--no-stream"])
def test_recording_writes_no_secret(project: Project, endpoint: ScriptedEndpoint, stream: str) -> None:
    """Cassettes, records, run.json, JUnit and the terminal name no key, organisation, project or cookie."""
    matrix = project.root / "fixtures" / "models.toml"
    matrix.write_text(matrix.read_text().replace("[models.plain]", 'key_env = "HERE_KEY"\n[models.plain]', 1))
    env = {"HERE_KEY": KEY, "OPENAI_API_KEY": OPENAI_KEY, "OPENAI_ORG_ID": ORGANISATION, "OPENAI_PROJECT_ID": PROJECT}
    result = project.run("--record=missing", stream, "-n", "2", "-v", "--junitxml=junit.xml", "--run", "a", env=env)
    assert result.status == 1, result.out  # the refused model's items are errors
    assert project.header("a")["states"] == {"answered": 6, "error": 6}
    sent = {name.lower(): value for name, value in endpoint.seen[0].headers.items()}
    assert sent["authorization"] == f"Bearer {KEY}"
    assert "openai-organization" not in sent, "this endpoint is not OpenAI's"
    written = [path for path in project.root.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    assert any(path.parent.name == "format" for path in written)
    for path in written:
        text = path.read_bytes().decode("utf-8", "replace")
        assert [secret for secret in SECRETS if secret in text] == [], path
    assert [secret for secret in SECRETS if secret in result.out] == []
    replay = project.run("--model", "plain", stream, "--run", "b")
    assert replay.status == 0, replay.out
