"""Steps of DPO with TRL, for `cargo xtask bench train --python` and for `gpu_check.py`.

In: a model folder, a file of pairs, the number of steps and of pairs in a step; `--device cuda` for bfloat16 on a GPU,
`--lora N` for an adapter of rank N. Out: one JSON line with the seconds of each step, its tokens and its loss, and the
largest memory in bytes: resident on a CPU, allocated on a GPU.
"""

import argparse
import json
import os
import resource
import tempfile
import time

parser = argparse.ArgumentParser()
parser.add_argument("--model", required=True)
parser.add_argument("--data", required=True)
parser.add_argument("--steps", type=int, required=True)
parser.add_argument("--batch", type=int, required=True)
parser.add_argument("--max-length", type=int, required=True)
parser.add_argument("--threads", type=int, required=True)
parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
parser.add_argument("--lora", type=int)
options = parser.parse_args()
on_gpu = options.device == "cuda"
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")

import torch  # noqa: E402
from datasets import Dataset  # noqa: E402
from torch.utils.data import SequentialSampler  # noqa: E402
from transformers import AutoModelForCausalLM, AutoTokenizer, TrainerCallback  # noqa: E402
from trl import DPOConfig, DPOTrainer  # noqa: E402

torch.set_num_threads(options.threads)
with open(options.data, encoding="utf-8") as lines:
    rows = [json.loads(line) for line in lines]
rows = rows[: options.steps * options.batch]
rows = [{key: row[key] for key in ("prompt", "chosen", "rejected")} for row in rows]

model = AutoModelForCausalLM.from_pretrained(options.model, dtype=torch.float32)
tokenizer = AutoTokenizer.from_pretrained(options.model)
if tokenizer.pad_token is None:
    tokenizer.pad_token = tokenizer.eos_token


class InOrder(DPOTrainer):
    """Takes the rows in the order of the file."""

    def _get_train_sampler(self, *args, **kwargs):
        return SequentialSampler(self.train_dataset)


class Clock(TrainerCallback):
    """Notes the time of each step and what it logs."""

    def __init__(self):
        self.seconds, self.lines = [], []

    def on_step_begin(self, args, state, control, **kwargs):
        self.started = time.perf_counter()

    def on_step_end(self, args, state, control, **kwargs):
        if on_gpu:
            torch.cuda.synchronize()
        self.seconds.append(time.perf_counter() - self.started)

    def on_log(self, args, state, control, logs=None, **kwargs):
        if logs and "loss" in logs:
            self.lines.append(logs)


adapter = None
if options.lora:
    from peft import LoraConfig

    adapter = LoraConfig(r=options.lora, lora_alpha=options.lora, target_modules="all-linear", task_type="CAUSAL_LM")

clock = Clock()
with tempfile.TemporaryDirectory() as folder:
    config = DPOConfig(
        output_dir=folder,
        per_device_train_batch_size=options.batch,
        max_steps=options.steps,
        learning_rate=1e-6,
        lr_scheduler_type="constant",
        max_length=options.max_length,
        precompute_ref_log_probs=adapter is None,
        gradient_checkpointing=False,
        logging_steps=1,
        save_strategy="no",
        report_to="none",
        use_cpu=not on_gpu,
        bf16=on_gpu,
        disable_tqdm=True,
    )
    trainer = InOrder(
        model=model,
        args=config,
        train_dataset=Dataset.from_list(rows),
        processing_class=tokenizer,
        callbacks=[clock],
        peft_config=adapter,
    )
    trainer.train()

resident = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
tokens = [0.0] + [line["num_tokens"] for line in clock.lines]
print(
    json.dumps(
        {
            "seconds": clock.seconds,
            "tokens": [after - before for before, after in zip(tokens, tokens[1:])],
            "losses": [float(line["loss"]) for line in clock.lines],
            "memory": torch.cuda.max_memory_allocated() if on_gpu else resident,
        }
    )
)
