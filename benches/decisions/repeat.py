#!/usr/bin/env python3
"""Asks tailtrace the same question many times, each time with another seed, and keeps every answer.

    repeat.py --json FILE [--times N] [--at-once N] -- COMMAND SCENARIO OPTION…

COMMAND is capacity, compare or sweep; `--seed`, `--json`, `--quiet` and `--out` are added. Where the machine has cores to spare
several can run beside each other. Printed is a line for each answer and the sum by verdict; kept is what each document says but
for its single probes and run directories.
"""

import argparse
import collections
import concurrent.futures
import json
import pathlib
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "side-by-side"))
from side_by_side import REPOSITORY, facts  # noqa: E402
from tools import Tailtrace  # noqa: E402

DROPPED = {"probes", "explained", "directory", "runs", "base", "candidate", "picture", "figures", "notes", "benefit"}


def asked(binary, words, seed, folder):
    """One answer: its exit status, how long it took, and the document without what is of no use later."""
    began = time.monotonic()
    command = [binary, *words, "--seed", str(seed), "--json", "--quiet", "--out", str(pathlib.Path(folder) / str(seed))]
    done = subprocess.run(command, capture_output=True, text=True)
    answer = {"seed": seed, "exit_status": done.returncode, "seconds": round(time.monotonic() - began, 1)}
    try:
        document = json.loads(done.stdout)
    except json.JSONDecodeError:
        return {**answer, "complaint": done.stderr[-1000:]}
    if "probes" in document:
        answer["probes"] = len(document["probes"])
    return {**answer, **without(document)}


def without(value):
    """The document without the keys of no use: they name folders that are gone, or single figures."""
    if isinstance(value, dict):
        # Base and candidate are numbers where they are a metric's figures, and folders else.
        return {key: without(inner) for key, inner in value.items() if key not in DROPPED or isinstance(inner, (int, float))}
    if isinstance(value, list):
        return [without(inner) for inner in value]
    return value


def in_short(answer):
    words = [f"seed {answer['seed']}: exit {answer['exit_status']}, {answer['seconds']:.0f} s"]
    words += [str(answer[key]) for key in ("verdict", "complaint") if key in answer]
    if answer.get("rate_per_s"):
        words.append(f"{answer['rate_per_s']:.1f}/s [{answer['low_per_s']:.1f}, {answer['high_per_s']:.1f}]")
    for compared in answer.get("metrics", []):
        words.append(f"{compared['metric']} {compared['verdict']} {compared['ratio']:.4f} {interval(compared)} after {compared['rounds']}")
    for value in answer.get("values", []):
        off = [f"{name} {change['change']:+.4f} {interval(change)}" for name, change in value["metrics"].items() if misses_zero(change)]
        words += [f"{value['label']}: {one}" for one in off]
    return ", ".join(words)


def interval(of):
    return "[" + ", ".join("none" if of[end] is None else f"{of[end]:.4f}" for end in ("low", "high")) + "]"


def misses_zero(change):
    """Whether a sweep's interval leaves out that nothing changed."""
    return (change["low"] is not None and change["low"] > 0) or (change["high"] is not None and change["high"] < 0)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--tailtrace", default=REPOSITORY / "target/release/tailtrace", help="its release build")
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--first", type=int, default=1, help="the first seed")
    parser.add_argument("--at-once", type=int, default=1)
    parser.add_argument("--json", type=pathlib.Path, required=True, help="where the answers go")
    parser.add_argument("words", nargs="+", metavar="COMMAND SCENARIO OPTION", help="after --")
    chosen = parser.parse_args()
    answers = []
    with tempfile.TemporaryDirectory() as folder, concurrent.futures.ThreadPoolExecutor(chosen.at_once) as pool:
        seeds = range(chosen.first, chosen.first + chosen.times)
        waiting = [pool.submit(asked, chosen.tailtrace, chosen.words, seed, folder) for seed in seeds]
        for one in concurrent.futures.as_completed(waiting):
            answers.append(one.result())
            print(in_short(answers[-1]), flush=True)
    answers.sort(key=lambda answer: answer["seed"])
    print(dict(collections.Counter(str(answer.get("verdict", answer["exit_status"])) for answer in answers)))
    record = {
        "machine": facts([Tailtrace(chosen.tailtrace)]),
        "command": ["tailtrace", *chosen.words],
        "at_once": chosen.at_once,
        "answers": answers,
    }
    chosen.json.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
