"""The work of `data.rs` with datasets and transformers: from rows to token ids as in TRL's DPOTrainer, then
to padded batches. Prints one JSON object with seconds and MiB.

usage: peer.py FILE MODEL_FOLDER PROCESSES CACHE_FOLDER
"""

import json
import os
import resource
import sys
import time

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["HF_DATASETS_DISABLE_PROGRESS_BARS"] = "1"

import torch
from datasets import load_dataset
from transformers import AutoTokenizer

path, model, processes, cache = sys.argv[1:5]
processes = int(processes)
tokenizer = AutoTokenizer.from_pretrained(model)
started = time.perf_counter()
rows = load_dataset("json", data_files=path, split="train", cache_dir=cache)
loaded = time.perf_counter()


def tokenize(row):
    prompt = tokenizer(row["prompt"])["input_ids"]
    ids = {"prompt_ids": prompt}
    for side in ("chosen", "rejected"):
        both = tokenizer(row["prompt"] + row[side] + tokenizer.eos_token)["input_ids"]
        ids[f"{side}_ids"] = both[len(prompt) :]
    return ids


rows = rows.map(tokenize, remove_columns=rows.column_names, num_proc=processes if processes > 1 else None)
tokenized = time.perf_counter()


def collate(some):
    ids = [torch.tensor(row["prompt_ids"] + row[side]) for side in ("chosen_ids", "rejected_ids") for row in some]
    return torch.nn.utils.rnn.pad_sequence(ids, batch_first=True)


cells = sum(batch.numel() for batch in torch.utils.data.DataLoader(rows, batch_size=8, collate_fn=collate))
ended = time.perf_counter()
print(
    json.dumps(
        {
            "load": round(loaded - started, 2),
            "tokenize": round(tokenized - loaded, 2),
            "batch": round(ended - tokenized, 2),
            "total": round(ended - started, 2),
            "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
            "cells": cells,
        }
    )
)
