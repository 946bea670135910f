#!/usr/bin/env python3
"""What tracing costs the load generator: the same run with everything of tracing on, and with tracing off.

    tracing_cost.py --otlp URL --jaeger URL [--tailtrace BINARY] [--pairs N] [--seconds S] [--json FILE]

On: sample fraction 0.01, bursts, client spans for slow unsampled requests, export over OTLP, and traces fetched from Jaeger at
the end. Off: fraction 0. A client's exporter runs on the client's core; `taskset -c 0 tests/real-stack/jaeger.sh start` gives a Jaeger
at http://127.0.0.1:4317 and http://127.0.0.1:16686.

A machine's speed drifts by 10 % within seconds, and where it is shared it stands still now and then: runs that follow each other scatter by
that. So the two runs of a pair go *at once*, each with a server of its own, and change places from pair to pair.

The load is 3,000/s with Poisson arrivals on one lane, against a server that takes 5 ms (log-normal, sigma 0.2), about what a search
takes. Two questions of it, one of another load:

- CPU per request. Both clients share a core, the servers the other: they take turns on it by the scheduler's time slices.
- p99 of unsampled requests. Each client has a core to itself and its server: what the exporter's thread takes is taken from its own
  run alone.
- CPU per request at 64 in flight, as fast as it goes, against a server that answers at once. What a request costs is least there, so
  tracing's share of it is largest: the hardest case, which decides nothing here.

Judged by pairs: the mean of the log ratios on over off, with a one-sided 95 % upper bound by Student's t. There are at most three
looks, at N, 2N and 4N pairs, the first that shows the bound ends a question; so that looking thrice costs nothing of the 95 %,
each look has a third of the 5 % (Bonferroni). Pairs of two runs without tracing stand beside each as a control.
"""

import argparse
import concurrent.futures
import contextlib
import json
import math
import pathlib
import signal
import statistics
import sys
from dataclasses import dataclass

from side_by_side import CLIENT_CORE, REPOSITORY, SERVER_CORE, facts, null_server
from student import student_quantile
from tools import Tailtrace

LOOKS = (1, 2, 4)
ALPHA = 0.05 / len(LOOKS)
OFF = {"trace.sample_fraction": "0"}
ON = {
    "trace.sample_fraction": "0.01",
    "trace.burst": '{ above = "50ms", for = "20ms", fraction = 1.0 }',
    "trace.outliers": "true",
}


@dataclass(frozen=True)
class Question:
    """A load, the figure that is compared there, what it may become, and whether it has to."""

    name: str
    scenario: str
    service: str | None
    cores: tuple[tuple[int, int], tuple[int, int]]  # of each client and its server
    key: str
    limit: float
    decides: bool


SERVICE = "lognormal 5ms 0.2"
SHARED = ((CLIENT_CORE, SERVER_CORE), (CLIENT_CORE, SERVER_CORE))
APART = ((CLIENT_CORE, CLIENT_CORE), (SERVER_CORE, SERVER_CORE))
QUESTIONS = (
    Question("CPU at 3,000/s", "steady.toml", SERVICE, SHARED, "cpu_ns_per_request", 1.02, True),
    Question("p99 at 3,000/s", "steady.toml", SERVICE, APART, "unsampled_p99_ns", 1.05, True),
    Question("CPU at 64 in flight", "closed-loop.toml", None, SHARED, "cpu_ns_per_request", 1.02, False),
)


def figures(document):
    (stream,) = document["streams"]
    if stream["errors"] or not stream["ok"]:
        sys.exit(f"{stream['ok']} ok and errors {stream['errors']}: nothing to compare")
    trace = document["trace"]
    return {
        "cpu_ns_per_request": document["generator"]["cpu_ns_per_request"],
        "unsampled_p99_ns": stream["service_unsampled"]["p99_ns"],
        "p50_ns": stream["service"]["p50_ns"],
        "achieved_per_s": stream["achieved_per_s"],
        **{key: trace[key] for key in ("decided", "sampled", "exported", "dropped", "failed")},
    }


def one_pair(tailtrace, ports, chosen, question, turn, on=True):
    """Both runs of a pair, at places that alternate; `on` is false for a control, of two runs without tracing."""
    settings = {"load.duration": f"{chosen.seconds}s", "trace.endpoint": chosen.otlp}
    both = {"off": OFF, "on": {**ON, "trace.jaeger": chosen.jaeger} if on else OFF}
    order = ("off", "on") if turn % 2 == 0 else ("on", "off")

    def one(name, port, core):
        return figures(tailtrace.document(question.scenario, port, core, **settings, **both[name])[0])

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        places = zip(order, ports, question.cores)
        runs = {name: pool.submit(one, name, port, client) for name, port, (client, _) in places}
        return {name: run.result() for name, run in runs.items()}


def judged(pairs, question):
    logs = [math.log(pair["on"][question.key] / pair["off"][question.key]) for pair in pairs]
    mean, error = statistics.fmean(logs), statistics.stdev(logs) / math.sqrt(len(logs))
    bound = math.exp(mean + student_quantile(1 - ALPHA, len(logs) - 1) * error)
    low, high = (math.exp(mean + sign * student_quantile(0.975, len(logs) - 1) * error) for sign in (-1, 1))
    return {
        "ratio": math.exp(mean),
        "low": low,
        "high": high,
        "upper_bound": bound,
        "limit": question.limit,
        "pairs": len(logs),
    }


def in_words(verdict):
    return "on/off {ratio:.4f} [{low:.4f}, {high:.4f}], one-sided bound {upper_bound:.4f}, {pairs} pairs".format(**verdict)


def answered(tailtrace, chosen, question, answer, keep):
    """Pairs until a look shows the bound, or there are no more looks. What is known of the answer is kept after each look."""
    with contextlib.ExitStack() as servers:
        started = [null_server(chosen.tailtrace, question.service, core) for _, core in question.cores]
        ports = [servers.enter_context(server) for server in started]
        answer["control"] = [one_pair(tailtrace, ports, chosen, question, turn, on=False) for turn in range(chosen.pairs)]
        answer["control_verdict"] = judged(answer["control"], question)
        print(f"{question.name}, both off: {in_words(answer['control_verdict'])}", flush=True)
        answer["pairs"] = []
        for look in LOOKS:
            for turn in range(len(answer["pairs"]), look * chosen.pairs):
                answer["pairs"].append(one_pair(tailtrace, ports, chosen, question, turn))
            answer["verdict"] = judged(answer["pairs"], question)
            keep()
            print(f"{question.name}: {in_words(answer['verdict'])}, limit {question.limit}", flush=True)
            if answer["verdict"]["upper_bound"] <= question.limit:
                break


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--otlp", required=True, help="an OTLP/gRPC endpoint, such as http://127.0.0.1:4317")
    parser.add_argument("--jaeger", required=True, help="the query API behind it, such as http://127.0.0.1:16686")
    parser.add_argument("--tailtrace", default=REPOSITORY / "target/release/tailtrace", help="its release build")
    parser.add_argument("--pairs", type=int, default=10, help="pairs at the first look")
    parser.add_argument("--seconds", type=int, default=4, help="measured seconds of a run")
    parser.add_argument("--json", type=pathlib.Path, help="where the raw figures go")
    chosen = parser.parse_args()
    if chosen.pairs < 2:
        parser.error("--pairs: at least 2, for how far pairs scatter is judged by")
    tailtrace = Tailtrace(chosen.tailtrace)
    result = {"schema": "tailtrace.tracing-cost/3", "machine": facts([tailtrace]), "seconds": chosen.seconds, "answers": {}}

    def keep():
        if chosen.json:
            chosen.json.write_text(json.dumps(result, indent=1) + "\n")

    for question in QUESTIONS:
        answered(tailtrace, chosen, question, result["answers"].setdefault(question.name, {}), keep)
    verdicts = [result["answers"][question.name]["verdict"] for question in QUESTIONS if question.decides]
    if all(verdict["upper_bound"] <= verdict["limit"] for verdict in verdicts):
        print("both bounds at 3,000/s hold")
        return 0
    print("not shown within the limits")
    return 1


if __name__ == "__main__":
    sys.exit(main())
