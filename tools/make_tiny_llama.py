"""make_tiny_llama.py FOLDER: a Llama of two million random weights, and a LoRA adapter of it, for tests of real engines.

FOLDER/model has everything that an engine asks of a model: configuration, weights, tokenizer, chat template. What it says means
nothing, at a speed that means nothing. Run by the Python of an environment that holds transformers and peft: vLLM's.
"""

from __future__ import annotations

import pathlib
import sys
from typing import Any

import peft
import tokenizers
import transformers

ROOT = pathlib.Path(__file__).resolve().parent.parent
SPECIAL = ["<s>", "</s>", "<unk>"]
TEMPLATE = "{% for m in messages %}<s>{{ m['role'] }}: {{ m['content'] }}\n{% endfor %}assistant:"
SEED = 7


def tokenizer() -> Any:
    """A byte-level tokenizer of this project's own words."""
    made = tokenizers.ByteLevelBPETokenizer()
    texts = [path.read_text() for path in (ROOT / "LICENSE", ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))]
    made.train_from_iterator(texts, vocab_size=2048, special_tokens=SPECIAL)
    fast = transformers.PreTrainedTokenizerFast(
        tokenizer_object=made._tokenizer, bos_token=SPECIAL[0], eos_token=SPECIAL[1], unk_token=SPECIAL[2]
    )
    fast.chat_template = TEMPLATE
    return fast


def main(folder: pathlib.Path) -> None:
    """Write ``folder``/model and ``folder``/adapter."""
    transformers.set_seed(SEED)
    words = tokenizer()
    config = transformers.LlamaConfig(
        vocab_size=2048, hidden_size=256, intermediate_size=512, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=4096, bos_token_id=0, eos_token_id=1,
    )  # fmt: skip
    model = transformers.LlamaForCausalLM(config)
    for each in (words, model):
        each.save_pretrained(folder / "model")
    # Left at random instead of zero, so that the adapter is heard.
    lora = peft.LoraConfig(r=8, target_modules=["q_proj", "v_proj"], init_lora_weights=False, task_type="CAUSAL_LM")
    peft.get_peft_model(model, lora).save_pretrained(folder / "adapter")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
