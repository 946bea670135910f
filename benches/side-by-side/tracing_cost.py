#!/usr/bin/env python3
"""What tracing costs the load generator: the same run with everything of tracing on, and with tracing off.

    tracing_cost.py --otlp URL --jaeger URL [--tailtrace BINARY] [--pairs N] [--seconds S] [--json FILE]

On: sample fraction 0.01, bursts, client spans for slow unsampled requests, export over OTLP, and traces fetched from Jaeger at
the end. Off: fraction 0. Two loads: 64 in flight as fast as one lane can (what a request costs is least there, so tracing's
share of it is largest), and 5,000/s with Poisson arrivals, for the percentile. The server is `tailtrace practice` with canned
answers on one core, the client has the other to itself, its exporter's thread included.

Runs are interleaved (A B B A …) and judged by pairs of neighbours: the mean of the log ratios on over off, with a one-sided 95 %
upper bound by Student's t. There are at most three looks, at N, 2N and 4N pairs, the first that shows both bounds ends it; so
that looking thrice costs nothing of the 95 %, each look has a third of the 5 % (Bonferroni). `tests/real-stack/jaeger.sh start`
gives a Jaeger at http://127.0.0.1:4317 and http://127.0.0.1:16686.
"""

import argparse
import json
import math
import pathlib
import signal
import statistics
import sys

from side_by_side import CLIENT_CORE, REPOSITORY, facts, null_server
from student import student_quantile
from tools import Tailtrace

LOOKS = (1, 2, 4)
ALPHA = 0.05 / len(LOOKS)
LIMITS = {"cpu_ns_per_request": 1.02, "unsampled_p99_ns": 1.05}
LOADS = {"64 in flight": "closed-loop.toml", "5,000/s": "steady.toml"}
OFF = {"trace.sample_fraction": "0"}
ON = {
    "trace.sample_fraction": "0.01",
    "trace.burst": '{ above = "50ms", for = "20ms", fraction = 1.0 }',
    "trace.outliers": "true",
}


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


def one_pair(tailtrace, port, chosen, load, turn):
    """Both runs of a pair, in an order that alternates."""
    settings = {"load.duration": f"{chosen.seconds}s", "trace.endpoint": chosen.otlp}
    both = {"off": OFF, "on": {**ON, "trace.jaeger": chosen.jaeger}}
    order = ("off", "on") if turn % 2 == 0 else ("on", "off")
    return {name: figures(tailtrace.document(LOADS[load], port, CLIENT_CORE, **settings, **both[name])[0]) for name in order}


def judged(pairs, key):
    logs = [math.log(pair["on"][key] / pair["off"][key]) for pair in pairs]
    mean, error = statistics.fmean(logs), statistics.stdev(logs) / math.sqrt(len(logs))
    bound = math.exp(mean + student_quantile(1 - ALPHA, len(logs) - 1) * error)
    both = [math.exp(mean + sign * student_quantile(0.975, len(logs) - 1) * error) for sign in (-1, 1)]
    return {"ratio": math.exp(mean), "low": both[0], "high": both[1], "upper_bound": bound, "limit": LIMITS[key], "pairs": len(logs)}


def shown(pairs):
    verdicts = {load: {key: judged(pairs[load], key) for key in LIMITS} for load in pairs}
    for load, of_load in verdicts.items():
        for key, verdict in of_load.items():
            print(
                f"{load:12} {key:20} on/off {verdict['ratio']:.4f} [{verdict['low']:.4f}, {verdict['high']:.4f}], "
                f"one-sided bound {verdict['upper_bound']:.4f}, limit {verdict['limit']}, {verdict['pairs']} pairs"
            )
    return verdicts


def holds(verdicts):
    """CPU is held to its limit where it weighs most; the percentile where requests arrive by themselves."""
    return all(
        verdicts[load][key]["upper_bound"] <= LIMITS[key]
        for load, key in (("64 in flight", "cpu_ns_per_request"), ("5,000/s", "unsampled_p99_ns"))
    )


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
    tailtrace = Tailtrace(chosen.tailtrace)
    pairs = {load: [] for load in LOADS}
    with null_server(chosen.tailtrace) as port:
        for look in LOOKS:
            while len(pairs["5,000/s"]) < look * chosen.pairs:
                turn = len(pairs["5,000/s"])
                for load in LOADS:
                    pairs[load].append(one_pair(tailtrace, port, chosen, load, turn))
            verdicts = shown(pairs)
            if chosen.json:
                result = {"schema": "tailtrace.tracing-cost/1", "machine": facts([tailtrace]), "verdicts": verdicts, "pairs": pairs}
                chosen.json.write_text(json.dumps(result, indent=1) + "\n")
            if holds(verdicts):
                print("both bounds hold")
                return 0
    print("not shown within the limits")
    return 1


if __name__ == "__main__":
    sys.exit(main())
