"""The loop: LoRA on every linear layer, loss on what is learned, and a state after each epoch.

On a CPU the same order gives the same adapter, also when it was stopped and goes on from the state of an epoch:
there is no dropout, the order of examples follows from seed and epoch, and the rate from the step.
"""

from __future__ import annotations

import csv
import math
import os
import random
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from tunegate.lab.fine_tuning.adapter_file import write_adapter
from tunegate.lab.fine_tuning.order import (
    ADAPTER,
    METRICS,
    STATE,
    Checkpoint,
    Done,
    Order,
    Progress,
    Step,
    TrainingFailed,
)
from tunegate.lab.fine_tuning.recipe import ALPHA, LARGEST_GRADIENT, RANK, Recipe
from tunegate.lab.fine_tuning.weights import Example, encode_file, load_base

LAYERS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


def train_order(order: Order, *, folder: Path, tell: Callable[[Progress], None]) -> None:
    """Train what is ordered, and leave the adapter and the metrics in the folder.

    Raises:
        TrainingFailed: an example is too long, or the loss is no number any more.
    """
    import torch

    torch.set_num_threads(order.threads)
    base = load_base(Path(order.weights), chat_template=order.chat_template)
    examples = encode_file(base, Path(order.training_file), param="training_file")
    held_out: list[Example] = []
    if order.validation_file is not None:
        held_out = encode_file(base, Path(order.validation_file), param="validation_file")
    training = Training(base.model, order.recipe, state=folder / STATE)
    rows = training.run(examples, held_out=held_out, tell=tell)
    write_metrics(folder / METRICS, rows)
    write_adapter(folder / ADAPTER, training.adapter_tensors(), config=base.model.config, alpha=ALPHA)
    tell(Done(sum(len(example.tokens) for example in examples) * order.recipe.n_epochs))


class Training:
    """A model with an adapter in the making; `model` is changed in place."""

    def __init__(self, model: Any, recipe: Recipe, *, state: Path) -> None:
        import torch
        from peft import LoraConfig, get_peft_model

        torch.manual_seed(recipe.seed)
        self._torch = torch
        self._recipe = recipe
        self._state = state
        self._device = "cuda" if torch.cuda.is_available() else "cpu"
        model.config.use_cache = False
        config = LoraConfig(
            r=RANK, lora_alpha=ALPHA, lora_dropout=0.0, target_modules=list(LAYERS), task_type="CAUSAL_LM"
        )
        self._tuned: Any = get_peft_model(model, config).to(self._device)
        self._model: Any = self._tuned.get_base_model()
        self._weights = [weight for weight in self._tuned.parameters() if weight.requires_grad]
        self._optimizer: Any = torch.optim.AdamW(self._weights, lr=recipe.learning_rate, weight_decay=0.0)

    def run(
        self, examples: Sequence[Example], *, held_out: Sequence[Example], tell: Callable[[Progress], None]
    ) -> list[Step]:
        """Train from the last state on, and return the metrics of all steps."""
        size = self._recipe.batch_size
        total = math.ceil(len(examples) / size) * self._recipe.n_epochs
        epoch, rows = self._restore()
        for row in rows:
            tell(row)
        self._model.train()
        while epoch < self._recipe.n_epochs:
            order = list(range(len(examples)))
            random.Random(f"{self._recipe.seed}/{epoch}").shuffle(order)  # noqa: S311  # seeded, to come out the same
            batches = [[examples[index] for index in order[at : at + size]] for at in range(0, len(order), size)]
            for number, batch in enumerate(batches, 1):
                row = self._take_step(batch, step=len(rows), total=total)
                if number == len(batches) and held_out:
                    loss, accuracy = self._judge(held_out)
                    row = replace(row, valid_loss=loss, valid_mean_token_accuracy=accuracy)
                rows.append(row)
                tell(row)
            epoch += 1
            self._save(epoch, rows)
            tell(Checkpoint(rows[-1]))
        return rows

    def adapter_tensors(self) -> dict[str, Any]:
        """The adapter as numpy arrays, under peft's names."""
        from peft import get_peft_model_state_dict

        tensors = get_peft_model_state_dict(self._tuned, save_embedding_layers=False)
        return {name: tensor.detach().cpu().numpy() for name, tensor in tensors.items()}

    def _take_step(self, batch: Sequence[Example], *, step: int, total: int) -> Step:
        for group in self._optimizer.param_groups:
            group["lr"] = self._recipe.rate_at(step, steps=total)
        loss, right, count = self._compute_loss(batch)
        loss.backward()
        norm = self._torch.nn.utils.clip_grad_norm_(self._weights, LARGEST_GRADIENT)
        value = loss.item()
        if not math.isfinite(value) or not math.isfinite(norm.item()):
            rate = self._recipe.learning_rate
            message = f"The training diverged: at step {step + 1} of {total} the loss or its gradient is no number. "
            message += f"The learning rate, {rate:g}, is too high: lower learning_rate_multiplier"
            raise TrainingFailed(message, code="training_diverged", param="hyperparameters")
        self._optimizer.step()
        self._optimizer.zero_grad(set_to_none=True)
        return Step(step + 1, total, round(value, 6), round(right / count, 6))

    def _compute_loss(self, batch: Sequence[Example]) -> tuple[Any, int, int]:
        """The mean loss over the learned tokens of a batch, how many of them were foreseen, and how many they are."""
        torch = self._torch
        longest = max(len(example.tokens) for example in batch)
        shape = (len(batch), longest)
        tokens = torch.zeros(shape, dtype=torch.long)
        is_token = torch.zeros(shape, dtype=torch.long)
        is_learned = torch.zeros(shape, dtype=torch.bool)
        for row, example in enumerate(batch):
            length = len(example.tokens)
            tokens[row, :length] = torch.tensor(example.tokens)
            is_token[row, :length] = 1
            is_learned[row, :length] = torch.tensor(example.is_learned)
        tokens, is_token, is_learned = (tensor.to(self._device) for tensor in (tokens, is_token, is_learned))
        # A CPU multiplies single precision faster than bfloat16, unless it has instructions made for that: measured on
        # AVX-512 with and without, 240 against 140 GFLOP/s on two cores, and the casts of all weights come on top.
        with torch.autocast(self._device, dtype=torch.bfloat16, enabled=self._device != "cpu"):
            hidden = self._model.model(input_ids=tokens, attention_mask=is_token).last_hidden_state
            # The head is a fifth of the work, and the prompt needs none of it.
            logits = self._model.lm_head(hidden[:, :-1][is_learned[:, 1:]]).float()
        wanted = tokens[:, 1:][is_learned[:, 1:]]
        loss = torch.nn.functional.cross_entropy(logits, wanted)
        return loss, int((logits.argmax(-1) == wanted).sum()), len(wanted)

    def _judge(self, examples: Sequence[Example]) -> tuple[float, float]:
        """Mean loss and accuracy over the learned tokens of examples that are not trained on."""
        self._model.eval()
        total_loss, total_right, total = 0.0, 0, 0
        with self._torch.no_grad():
            for example in examples:
                loss, right, count = self._compute_loss([example])
                total_loss += loss.item() * count
                total_right += right
                total += count
        self._model.train()
        return round(total_loss / total, 6), round(total_right / total, 6)

    def _save(self, epoch: int, rows: Sequence[Step]) -> None:
        draft = self._state.with_name(f".{self._state.name}.draft")
        self._torch.save(
            {
                "epoch": epoch,
                "rows": [asdict(row) for row in rows],
                "weights": [weight.detach().cpu() for weight in self._weights],
                "optimizer": self._optimizer.state_dict(),
            },
            draft,
        )
        os.replace(draft, self._state)

    def _restore(self) -> tuple[int, list[Step]]:
        if not self._state.exists():
            return 0, []
        state = self._torch.load(self._state, map_location=self._device, weights_only=True)
        with self._torch.no_grad():
            for weight, kept in zip(self._weights, state["weights"], strict=True):
                weight.copy_(kept)
        self._optimizer.load_state_dict(state["optimizer"])
        return state["epoch"], [Step(**row) for row in state["rows"]]


def write_metrics(path: Path, rows: Sequence[Step]) -> None:
    """The metrics of all steps, in the API's columns; what was not looked at is empty."""
    with path.open("w", encoding="ascii", newline="") as file:
        sheet = csv.writer(file, lineterminator="\n")
        sheet.writerow(["step", "train_loss", "train_accuracy", "valid_loss", "valid_mean_token_accuracy"])
        for row in rows:
            accuracy = row.train_mean_token_accuracy
            sheet.writerow([row.step, row.train_loss, accuracy, row.valid_loss, row.valid_mean_token_accuracy])
