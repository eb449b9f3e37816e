"""Samples with transformers, for sample.rs. Prints a JSON line for each batch size.

Rows are sorted by length, so that little is padded, and each batch is continued until its last text ends, as
`generate` does. Loading the model does not count.
"""

import argparse
import json
import resource
import time

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

arguments = argparse.ArgumentParser()
arguments.add_argument("--model", required=True)
arguments.add_argument("--data", required=True)
arguments.add_argument("--n", type=int, required=True)
arguments.add_argument("--max-new-tokens", type=int, required=True)
arguments.add_argument("--threads", type=int, required=True)
arguments.add_argument("--batch-sizes", required=True)
arguments = arguments.parse_args()

torch.set_num_threads(arguments.threads)
torch.manual_seed(0)
tokenizer = AutoTokenizer.from_pretrained(arguments.model, padding_side="left")
model = AutoModelForCausalLM.from_pretrained(arguments.model, dtype=torch.float32).eval()
if tokenizer.pad_token_id is None:
    tokenizer.pad_token = tokenizer.eos_token
eos = model.generation_config.eos_token_id
eos = torch.tensor(sorted({tokenizer.eos_token_id, *(eos if isinstance(eos, list) else [eos])}))


def ids(prompt):
    if isinstance(prompt, str):
        return tokenizer(prompt).input_ids
    text = tokenizer.apply_chat_template(prompt, tokenize=False, add_generation_prompt=True)
    return tokenizer(text, add_special_tokens=False).input_ids


prompts = [ids(json.loads(line)["prompt"]) for line in open(arguments.data)]
prompts.sort(key=len)
for batch in map(int, arguments.batch_sizes.split(",")):
    rows = max(1, batch // arguments.n)
    samples = min(batch, arguments.n)
    tokens, seconds = 0, 0.0
    for first in range(0, len(prompts), rows):
        padded = tokenizer.pad({"input_ids": prompts[first : first + rows]}, return_tensors="pt")
        for _ in range(arguments.n // samples):
            started = time.perf_counter()
            with torch.inference_mode():
                output = model.generate(
                    **padded,
                    do_sample=True,
                    temperature=1.0,
                    top_k=0,
                    top_p=1.0,
                    max_new_tokens=arguments.max_new_tokens,
                    num_return_sequences=samples,
                    eos_token_id=eos.tolist(),
                )
            seconds += time.perf_counter() - started
            for row in output[:, padded.input_ids.shape[1] :]:
                ends = torch.isin(row, eos).nonzero()
                tokens += int(ends[0]) + 1 if len(ends) else len(row)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"batch": batch, "tokens": tokens, "seconds": seconds, "memory": memory}), flush=True)
