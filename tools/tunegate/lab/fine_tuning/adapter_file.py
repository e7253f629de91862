"""An adapter of peft as a GGUF file for llama.cpp."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

NAMES = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}
TENSOR = re.compile(r"base_model\.model\.model\.layers\.(\d+)\.(.+)\.lora_([AB])\.weight")


def write_adapter(path: Path, tensors: Mapping[str, Any], *, config: Any, alpha: float) -> None:
    """Write an adapter of a model of Llama's architecture, in half precision, complete or not at all.

    `tensors` are numpy arrays under peft's names, `config` is the model's.
    """
    import numpy as np
    from gguf import GGUFWriter

    draft = path.with_name(f".{path.name}.draft")
    writer = GGUFWriter(draft, "llama")
    writer.add_type("adapter")
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", float(alpha))
    for name, tensor in sorted(tensors.items()):
        match = TENSOR.fullmatch(name)
        if match is None:
            raise ValueError(f"{name} is no tensor of an adapter for Llama's architecture")
        layer, part, side = match.groups()
        rows = tensor
        if side == "B" and part == "self_attn.q_proj":
            rows = permute(tensor, heads=config.num_attention_heads)
        elif side == "B" and part == "self_attn.k_proj":
            rows = permute(tensor, heads=config.num_key_value_heads)
        half = np.ascontiguousarray(rows, dtype=np.float16)
        writer.add_tensor(f"blk.{layer}.{NAMES[part]}.weight.lora_{side.lower()}", half)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    os.replace(draft, path)


def permute(rows: Any, *, heads: int) -> Any:
    """Rows in llama.cpp's rotary order: each head's two halves interleaved, where transformers keeps them apart."""
    return rows.reshape(heads, 2, rows.shape[0] // heads // 2, *rows.shape[1:]).swapaxes(1, 2).reshape(rows.shape)
