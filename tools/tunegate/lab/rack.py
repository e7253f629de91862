"""The loaded models and the adapters on them.

llama.cpp takes adapters only when it loads a model. A new one therefore means a second engine, started beside the
first, that takes its place between two requests: nobody is turned away, and the wait is that of one request.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tunegate.errors import LabError
from tunegate.lab.models import LabModel, architecture_of
from tunegate.lab.refusals import Refusal, refuse_model
from tunegate.lab.relay import Served

TUNABLE = "llama"
"""The architecture that adapters are made for."""


@dataclass(frozen=True)
class Adapter:
    """What a fine-tuning made: a name of its own for a base model with a file added."""

    name: str
    base: str
    path: Path


class Loaded(Protocol):
    """An engine with a model and adapters in it."""

    address: tuple[str, int]
    fingerprint: str

    def close(self) -> None:
        """Free the model."""


Load = Callable[[LabModel, Sequence[Path]], Loaded]


Swap = Callable[[Sequence[Served], Callable[[], None]], None]
"""Puts new rows in the place of the old ones between two requests, and calls what it is given then."""


@dataclass(frozen=True)
class Place:
    """One base model, its engine, its adapters in the order of their ids, and every name that the engine answers."""

    model: LabModel
    engine: Loaded
    adapters: Sequence[Adapter]
    rows: Sequence[Served]

    @classmethod
    def load(cls, model: LabModel, adapters: Sequence[Adapter], *, load: Load) -> Place:
        """Start an engine."""
        engine = load(model, [adapter.path for adapter in adapters])
        rows = [Served(model.name, engine.address, choose(None, adapters), fingerprint=engine.fingerprint)]
        for adapter in adapters:
            fingerprint = fingerprint_with(engine.fingerprint, adapter.path)
            rows.append(Served(adapter.name, engine.address, choose(adapter, adapters), fingerprint=fingerprint))
        return cls(model, engine, adapters, rows)


class Rack:
    """The engines of a lab, one for each base model."""

    def __init__(self, models: Sequence[LabModel], *, load: Load, adapters: Sequence[Adapter] = ()) -> None:
        self._load = load
        self._lock = threading.Lock()
        self._places: dict[str, Place] = {}
        try:
            for model in models:
                own = [adapter for adapter in adapters if adapter.base == model.name]
                self._places[model.name] = Place.load(model, own, load=load)
        except LabError:
            self.close()
            raise

    @property
    def rows(self) -> list[Served]:
        """Every name of every model."""
        return [row for place in self._places.values() for row in place.rows]

    def find_tunable(self, name: str) -> LabModel:
        """The base model of a name.

        Raises:
            Refusal: the lab has none of the name, or cannot tune it.
        """
        if name not in self._places:
            if any(row.name == name for row in self.rows):
                message = f"Model {name} is not available for fine-tuning: it is fine-tuned already"
                raise Refusal(400, message, code="model_not_available", param="model")
            raise refuse_model(name)
        model = self._places[name].model
        if (found := architecture_of(model.find_gguf())) != TUNABLE:
            message = f"Model {name} is not available for fine-tuning: its architecture is {found}, not {TUNABLE}"
            raise Refusal(400, message, code="model_not_available", param="model")
        return model

    def add(self, adapter: Adapter, *, swap: Swap) -> None:
        """Serve one adapter more; a second time does nothing.

        Raises:
            LabError: llama.cpp does not load it; what was served before still is.
        """
        with self._lock:
            place = self._places[adapter.base]
            if any(other.name == adapter.name for other in place.adapters):
                return
            self._places[adapter.base] = Place.load(place.model, [*place.adapters, adapter], load=self._load)
            swap(self.rows, place.engine.close)

    def close(self) -> None:
        """Stop all engines; a second time does nothing."""
        for place in self._places.values():
            place.engine.close()
        self._places.clear()


def choose(chosen: Adapter | None, adapters: Sequence[Adapter]) -> dict[str, object]:
    """What tells llama.cpp to use one adapter, or none.

    Each is named with its scale: an empty list leaves the engine with those of the request before.
    """
    scales = [{"id": id_, "scale": 1.0 if adapter is chosen else 0.0} for id_, adapter in enumerate(adapters)]
    return {"lora": scales} if scales else {}


def fingerprint_with(base: str, adapter: Path) -> str:
    """Name what decides the bytes of a reply: what the base's fingerprint names, and the adapter."""
    digest = hashlib.sha256(f"{base}\n".encode() + adapter.read_bytes())
    return f"fp_{digest.hexdigest()[:10]}"
