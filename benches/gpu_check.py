"""Checks `pref` on a GPU and measures it, for `cargo xtask gpu-check`.

In: the folder that `cargo xtask gpu-check` wrote (the program `pref`, `fixtures`, this file and `dpo_peer.py`). Out: a
table on stdout, and the same values in `gpu-check.json`. Needs Python 3.9 without packages. If torch, transformers,
datasets and trl can be imported, TRL trains the same models.

First come the values: reference cases, log-probs of the random decoders, and short runs, each beside the CPU. Then come
DPO steps of models with random weights in the shapes of Qwen2 0.5B and 1.5B. Every part has a time limit, so that all of
it ends within `--minutes`; what did not fit is named in the table.
"""

import argparse
import json
import os
import random
import shutil
import struct
import subprocess
import sys
import tempfile
import threading
import time
from array import array
from pathlib import Path

HERE = Path(__file__).resolve().parent
# Dense bfloat16 products, operations a second, by a part of the name that the driver gives.
PEAKS = {"H100": 989e12, "H200": 989e12, "A100": 312e12, "L40": 181e12, "4090": 165e12}
SHAPES = {
    "qwen2-0.5b": (151936, 896, 4864, 24, 14, 2),
    "qwen2-1.5b": (151936, 1536, 8960, 28, 12, 2),
    "qwen2-tiny": (2048, 64, 176, 2, 4, 2),
}

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--pref", type=Path, default=HERE / "pref", help="the program")
parser.add_argument("--fixtures", type=Path, default=HERE / "fixtures")
parser.add_argument("--device", default="cuda:0", help="cuda:N or wgpu")
parser.add_argument("--output", type=Path, default=Path("gpu-check.json"))
parser.add_argument("--minutes", type=float, default=9.5, help="time for everything")
parser.add_argument("--steps", type=int, default=8, help="optimiser steps of each measured run")
parser.add_argument("--batch", type=int, default=8, help="pairs of a step")
parser.add_argument("--tokens", type=int, default=256, help="tokens of a prompt, and of an answer")
parser.add_argument("--peak-tflops", type=float, help="10^12 operations a second of the GPU at best")
parser.add_argument("--tiny", action="store_true", help="one tiny model, to try this script")
parser.add_argument("--no-trl", action="store_true", help="leave TRL out")
options = parser.parse_args()
if options.tiny:
    options.steps, options.batch, options.tokens = min(options.steps, 4), 2, 16

STARTED = time.monotonic()
IS_CUDA = options.device.startswith("cuda")
work = Path(tempfile.mkdtemp(prefix="gpu-check-"))
rows = []  # Of the table: part, what, result, verdict.


def left():
    """Seconds that are left."""
    return options.minutes * 60 - (time.monotonic() - STARTED)


def note(part, what, result, verdict=""):
    rows.append({"part": part, "what": what, "result": result, "verdict": verdict})
    print(f"{part:<8} {what:<34} {verdict:<6} {result}", flush=True)


class Failed(Exception):
    """A program ended with an error, or did not end in time."""


def run(command, watch=False):
    """Runs a program: its stdout, its lines on stderr with their times, and the largest memory in bytes."""
    seconds = left()
    if seconds < 5:
        raise Failed("no time is left")
    process = subprocess.Popen(
        [str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=work
    )
    lines, peak = [], [0]

    def read():
        for line in process.stderr:
            lines.append((time.monotonic(), line.rstrip()))

    def observe():
        while process.poll() is None:
            peak[0] = max(peak[0], memory_of(process.pid))
            time.sleep(0.2)

    threads = [threading.Thread(target=read, daemon=True)]
    if watch:
        threads.append(threading.Thread(target=observe, daemon=True))
    for thread in threads:
        thread.start()
    killer = threading.Timer(seconds, process.kill)
    killer.start()
    out = process.stdout.read()
    code = process.wait()
    killer.cancel()
    for thread in threads:
        thread.join(5)
    if code != 0:
        said = [line for _, line in lines if line.strip()]
        reason = said[-1] if said else f"ended with {code}"
        raise Failed("the time was over" if left() < 1 else reason)
    return out, lines, peak[0]


def memory_of(pid):
    """Bytes of GPU memory that the driver reports, or the resident bytes of a process on other devices."""
    if not IS_CUDA:
        try:
            status = Path(f"/proc/{pid}/status").read_text()
        except OSError:
            return 0
        kib = [line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")]
        return int(kib[0]) * 1024 if kib else 0
    number = options.device.partition(":")[2] or "0"
    query = ["nvidia-smi", "-i", number, "--query-gpu=memory.used", "--format=csv,noheader,nounits"]
    said = subprocess.run(query, capture_output=True, text=True)
    return int(said.stdout.split()[0]) * 2**20 if said.returncode == 0 and said.stdout.split() else 0


def gpu_name():
    if not IS_CUDA:
        return options.device
    query = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
    try:
        said = subprocess.run(query, capture_output=True, text=True)
    except OSError:
        return "no nvidia-smi"
    return said.stdout.strip().splitlines()[0] if said.stdout.strip() else "unknown"


def attempt(part, what, check):
    """Runs a check, which returns its result and whether it passed, and notes it."""
    if left() < 5:
        return note(part, what, "left out, no time is left", "LATE")
    try:
        result, passed = check()
        note(part, what, result, "ok" if passed else "WRONG")
    except Failed as error:
        note(part, what, str(error), "FAILED")


def reference_cases():
    out, _, _ = run([options.pref, "loss", options.fixtures / "losses", "--device", options.device])
    cases = [json.loads(line) for line in out.splitlines()]
    good = sum(case.get("ok") is True for case in cases)
    return f"{good} of {len(cases)} within 1e-5", good == len(cases) > 0


def log_probs(model):
    """The log-probs of a random decoder beside those of transformers in float32."""
    expected = json.loads((model / "expected.json").read_text())["cases"]
    data = work / "rows.jsonl"
    data.write_text("\n".join(json.dumps({"input_ids": case["input_ids"]}) for case in expected))
    out, _, _ = run([options.pref, "logprobs", "--model", model, data, "--device", options.device])
    found = [json.loads(line)["log_probs"] for line in out.splitlines()]
    pairs = [pair for a, b in zip(found, expected) for pair in zip(a, b["log_probs"])]
    error = max(abs(a - b) for a, b in pairs)
    return f"off by {error:.1e} of {len(pairs)} log-probs", len(found) == len(expected) and error <= 2e-4


def settings(pairs):
    return [word for key, value in pairs.items() for word in ("--set", f"{key}={value}")]


def short_run(more):
    """Four steps on the CPU and on the device: the largest relative difference of losses and gradient norms."""
    data = options.fixtures / "gsm8k" / "dpo-llama.jsonl"
    lines = {}
    for device in ("flex", options.device):
        output = work / f"short-{device}"
        shutil.rmtree(output, ignore_errors=True)
        keys = {
            "train.steps": 4,
            "train.batch-size": 4,
            "train.learning-rate": "2e-4",
            "data.max-length": 200,
            "data.shuffle": "false",
            "train.batch-tokens": 100000,
        }
        arguments = ["train", "--objective", "dpo", "--model", options.fixtures / "models" / "llama"]
        arguments += ["--data", data, "--output", output, "--device", device, *settings({**keys, **more})]
        run([options.pref, *arguments])
        lines[device] = [json.loads(line) for line in (output / "metrics.jsonl").read_text().splitlines()]
    steps = list(zip(lines["flex"], lines[options.device]))
    far = max(abs(b[key] / a[key] - 1) for a, b in steps for key in ("loss", "grad_norm"))
    return f"losses and gradient norms of {len(steps)} steps differ by {far:.1e}", len(steps) == 4 and far <= 1e-3


def random_model(name):
    """A folder with random weights in bfloat16 and the tokenizer of the fixtures."""
    vocab, hidden, inner, layers, heads, kv_heads = SHAPES[name]
    folder = work / name
    if folder.exists():
        return folder
    source = options.fixtures / "models" / "qwen2"
    folder.mkdir()
    for file in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja", "generation_config.json"):
        shutil.copy(source / file, folder)
    config = json.loads((source / "config.json").read_text())
    config.update(
        vocab_size=vocab,
        hidden_size=hidden,
        intermediate_size=inner,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=kv_heads,
        max_position_embeddings=4096,
        layer_types=["full_attention"] * layers,
        torch_dtype="bfloat16",
    )
    (folder / "config.json").write_text(json.dumps(config))
    head_dim = hidden // heads
    sizes = {"model.embed_tokens.weight": (vocab, hidden), "model.norm.weight": (hidden,)}
    for layer in range(layers):
        start = f"model.layers.{layer}."
        widths = {"q": heads * head_dim, "k": kv_heads * head_dim, "v": kv_heads * head_dim}
        for letter, width in widths.items():
            sizes[f"{start}self_attn.{letter}_proj.weight"] = (width, hidden)
            sizes[f"{start}self_attn.{letter}_proj.bias"] = (width,)
        sizes[f"{start}self_attn.o_proj.weight"] = (hidden, heads * head_dim)
        sizes[f"{start}mlp.gate_proj.weight"] = (inner, hidden)
        sizes[f"{start}mlp.up_proj.weight"] = (inner, hidden)
        sizes[f"{start}mlp.down_proj.weight"] = (hidden, inner)
        sizes[f"{start}input_layernorm.weight"] = (hidden,)
        sizes[f"{start}post_attention_layernorm.weight"] = (hidden,)
    header, at = {}, 0
    for tensor, shape in sizes.items():
        n = 2
        for size in shape:
            n *= size
        header[tensor] = {"dtype": "BF16", "shape": list(shape), "data_offsets": [at, at + n]}
        at += n
    # A block of normal numbers with a deviation of 0.02, repeated from a different start in each tensor.
    draw = random.Random(1)
    block = array("H", ((struct.unpack("<I", struct.pack("<f", draw.gauss(0, 0.02)))[0] >> 16) for _ in range(2**18)))
    block, one = block.tobytes() * 8, struct.pack("<H", 0x3F80)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(folder / "model.safetensors", "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for tensor, shape in sizes.items():
            begin, end = header[tensor]["data_offsets"]
            if tensor.endswith("norm.weight"):
                file.write(one * shape[0])
                continue
            n, start = end - begin, 2 * draw.randrange(2**17)
            while n > 0:
                part = block[start : start + n]
                file.write(part)
                n, start = n - len(part), 0
    return folder


def measured_pairs():
    """Pairs with prompts and answers of the asked length: a token of the fixtures' tokenizer is about three letters."""
    draw = random.Random(2)
    words = "apples are sold for three dollars and she buys seven boxes of each so the sum is".split()

    def text(n):
        return " ".join(draw.choice(words) for _ in range(n))

    data = work / "pairs.jsonl"
    n = max(options.tokens * 2 // 3, 4)
    with open(data, "w") as file:
        for _ in range(options.steps * options.batch):
            row = {"prompt": text(n), "chosen": " " + text(n), "rejected": " " + text(n)}
            file.write(json.dumps(row) + "\n")
    return data


def describe(seconds, tokens, flops, memory):
    result = {"seconds": seconds, "tokens_per_second": tokens / seconds, "memory": memory}
    words = f"{seconds * 1e3:8.1f} ms a step, {tokens / seconds:9.0f} tokens/s, {memory / 2**30:6.2f} GiB"
    if PEAK and flops:
        result["mfu"] = flops / seconds / PEAK
        words += f", MFU {100 * result['mfu']:.1f} %"
    return words, result


measured = {}


def speed(name, precision, adapter):
    """Optimiser steps of DPO: the time of a step without the first half, tokens a second, and memory."""

    def check():
        model, data = random_model(name), measured_pairs()
        output = work / "speed"
        shutil.rmtree(output, ignore_errors=True)
        keys = {
            "train.steps": options.steps,
            "train.batch-size": options.batch,
            "train.learning-rate": "1e-6",
            "train.schedule": "constant",
            "train.precision": precision,
            "data.max-length": 4096,
            "data.shuffle": "false",
            "train.save-minutes": 0,
            "output.last-checkpoint": "false",
        }
        if adapter:
            keys["train.lora.rank"] = 16
        arguments = ["train", "--objective", "dpo", "--model", model, "--data", data, "--output", output]
        arguments += ["--device", options.device, *settings(keys)]
        _, lines, memory = run([options.pref, *arguments], watch=True)
        times = [at for at, line in lines if line.startswith("step ")]
        metrics = [json.loads(line) for line in (output / "metrics.jsonl").read_text().splitlines()]
        if len(times) != options.steps or len(metrics) != options.steps:
            raise Failed(f"{len(times)} steps were printed, and {len(metrics)} were logged")
        first = options.steps // 2 - 1
        n = options.steps - 1 - first
        seconds = (times[-1] - times[first]) / n
        tokens = (metrics[-1]["num_tokens"] - metrics[first]["num_tokens"]) / n
        length = max(int(tokens / options.batch / 4), 1)
        plan = ["plan", model, "--prompt-tokens", length, "--answer-tokens", length, "--json", *settings(keys)]
        flops = json.loads(run([options.pref, *plan])[0])["forecast"]["time"]["flops"]
        words, result = describe(seconds, tokens, flops, memory)
        measured[f"pref {name} {'lora' if adapter else 'full'}"] = {**result, "flops": flops, "loss": metrics[-1]["loss"]}
        finite = all(abs(line["loss"]) < 1e3 and line["grad_norm"] < 1e9 for line in metrics)
        return words, finite

    attempt("pref", f"{name}, {precision}, {'LoRA 16' if adapter else 'full'}", check)


def trl(name, adapter):
    def check():
        command = [sys.executable, HERE / "dpo_peer.py", "--model", random_model(name), "--data", measured_pairs()]
        command += ["--steps", options.steps, "--batch", options.batch, "--max-length", 4096]
        command += ["--threads", os.cpu_count() or 1, "--device", "cuda" if IS_CUDA else "cpu"]
        if adapter:
            command += ["--lora", 16]
        out, _, _ = run(command)
        result = json.loads(out.splitlines()[-1])
        half = options.steps // 2
        seconds = sum(result["seconds"][half:]) / (options.steps - half)
        tokens = sum(result["tokens"][half:]) / (options.steps - half)
        ours = measured.get(f"pref {name} {'lora' if adapter else 'full'}", {})
        words, values = describe(seconds, tokens, ours.get("flops"), result["memory"])
        measured[f"trl {name} {'lora' if adapter else 'full'}"] = {**values, "loss": result["losses"][-1]}
        return words, True

    attempt("TRL", f"{name}, {'LoRA 16' if adapter else 'full'}", check)


def has_trl():
    if options.no_trl:
        return False
    test = [sys.executable, "-c", "import torch, transformers, datasets, trl"]
    return subprocess.run(test, capture_output=True).returncode == 0


NAME = gpu_name()
peaks = [peak for part, peak in PEAKS.items() if part in NAME]
PEAK = options.peak_tflops * 1e12 if options.peak_tflops else (peaks[0] if peaks and IS_CUDA else None)
print(f"{NAME}, --device {options.device}, {options.steps} steps of {options.batch} pairs", flush=True)

attempt("values", "reference cases", reference_cases)
models = sorted(path.parent for path in options.fixtures.glob("models/*/expected.json"))
for model in models[:2] if options.tiny else models:
    attempt("values", f"log-probs of {model.name}", lambda model=model: log_probs(model))
attempt("values", "four steps of dpo", lambda: short_run({}))
attempt("values", "four steps of dpo with LoRA", lambda: short_run({"train.lora.rank": 4}))
with_trl = has_trl()
# wgpu has no arithmetic in bfloat16.
precision = "bf16" if IS_CUDA else "f32"
for name in ["qwen2-tiny"] if options.tiny else ["qwen2-0.5b", "qwen2-1.5b"]:
    for adapter in (False, True):
        speed(name, precision, adapter)
        if with_trl:
            trl(name, adapter)
if not with_trl:
    reason = "left out" if options.no_trl else "torch, transformers, datasets or trl cannot be imported"
    note("TRL", "", reason, "-")

report = {"gpu": NAME, "device": options.device, "rows": rows, "measured": measured}
options.output.write_text(json.dumps(report, indent=1))
shutil.rmtree(work, ignore_errors=True)
bad = [row for row in rows if row["verdict"] in ("WRONG", "FAILED", "LATE")]
print(f"\n{len(rows)} rows, {len(bad)} not ok, {time.monotonic() - STARTED:.0f} s, {options.output}")
sys.exit(1 if bad else 0)
