#!/usr/bin/env python3
"""What tracing costs the load generator: the same run with everything of tracing on, and with tracing off, in turns.

    tracing_cost.py --otlp URL --jaeger URL [--built-in] [--tailtrace BINARY] [--pairs N] [--ask QUESTION] [--json FILE]

On: sample fraction 0.01, bursts, client spans for slow unsampled requests, export over OTLP, and traces fetched from Jaeger at
the end. With --built-in the client's spans and the server's go to the client's own collector instead, which writes `spans.jsonl` and forwards
all of them to the endpoint. Off: fraction 0. A client's exporter runs on the client's core; `taskset -c 0 tests/real-stack/jaeger.sh start` gives a Jaeger
at http://127.0.0.1:4317 and http://127.0.0.1:16686.

**In turns.** A machine's speed drifts by 10 % within seconds, so turns of whole runs scatter by that. Here both clients
of a pair run on one core, each with a server of its own on the other, and their stages take turns, one sends while the other pauses: A B A B …
in one pair, B A B A … in the next, which together is A B B A. The load is 3,000/s with Poisson arrivals on one lane, against a server that takes
5 ms (log-normal, sigma 0.2), about what a search takes.

CPU per request is asked for in turns of a second: the shorter they are, the less drift is between them, and what a process does after its turn
counts as its own wherever that falls. p99 of unsampled requests' service times is asked for in turns of four seconds, between which both pause until the spans
of the one before are exported: they would be in the other's way. p99 of all requests' response times and of their lateness is told beside it and
decides nothing.

A pair whose clients begin too far from each other, so that their turns might overlap, is made again; how often stands with the pair that counts.

**At once.** CPU per request at 64 in flight, as fast as it goes, against a server that answers at once, where a request costs least and
tracing's share of it is largest: the hardest case, which decides nothing here. Both clients of a pair share a core.

Judged by pairs: the mean of the log ratios on over off, with a one-sided 95 % upper bound by Student's t. There are at most three
looks, at N, 2N and 4N pairs, the first that shows the bounds ends a question; so that looking thrice costs nothing of the 95 %,
each look has a third of the 5 % (Bonferroni). Pairs of two runs without tracing stand beside each as a control.
"""

import argparse
import concurrent.futures
import contextlib
import datetime
import json
import math
import pathlib
import signal
import statistics
import sys
from dataclasses import dataclass

from side_by_side import CLIENT_CORE, REPOSITORY, facts, free_port, null_server
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
class Turns:
    """So many blocks of load of a client, and how long both pause before each."""

    block_ms: int
    gap_ms: int
    blocks: int

    @property
    def period_ms(self):
        return 2 * (self.block_ms + self.gap_ms)

    @property
    def length_ms(self):
        return self.gap_ms + self.period_ms * self.blocks

    def stages(self, second):
        """A client's stages: blocks of load, each followed by a pause as long as the other's block. Both end together, with a pause."""
        turns = [(RATE, self.block_ms), (PAUSE, self.period_ms - self.block_ms)] * self.blocks
        parts = [(PAUSE, self.gap_ms), *turns]
        if second:
            parts = [(PAUSE, self.gap_ms + self.period_ms // 2), *turns[:-1], (PAUSE, self.gap_ms)]
        return "[{}]".format(", ".join(f'{{ rate = "{rate}", for = "{ms}ms" }}' for rate, ms in parts))


@dataclass(frozen=True)
class Question:
    """A load, how its pairs go, the figures that are compared there with what they may become, and whether they have to."""

    name: str
    scenario: str
    service: str | None
    turns: Turns | None
    limits: dict[str, float]
    told: tuple[str, ...]  # beside them
    decides: bool


SERVICE = "lognormal 5ms 0.2"
CPU, P99, RESPONSE_P99, LATENESS_P99 = "cpu_ns_per_request", "unsampled_p99_ns", "response_p99_ns", "lateness_p99_ns"
QUESTIONS = (
    Question("CPU at 3,000/s", "steady.toml", SERVICE, Turns(1_000, 100, 12), {CPU: 1.02}, (), True),
    # The exporter looks for spans every 100 ms, and they wait up to a second for others.
    Question("p99 at 3,000/s", "steady.toml", SERVICE, Turns(4_000, 1_400, 3), {P99: 1.05}, (CPU, RESPONSE_P99, LATENESS_P99), True),
    Question("64 in flight at once", "closed-loop.toml", None, None, {CPU: 1.02}, (), False),
)

RATE, PAUSE = "3000/s", "0/s"
# The most that the clients of a pair may begin apart.
APART_MS = 50
MISALIGNED_TRIES = 5


def start_of(document):
    """When the measured phase began."""
    (measure,) = (phase["start"] for phase in document["phases"] if phase["name"] == "measure")
    whole, _, nanoseconds = measure.rstrip("Z").partition(".")
    return datetime.datetime.fromisoformat(f"{whole}+00:00").timestamp() + float(f"0.{nanoseconds or 0}")


def figures(document):
    (stream,) = document["streams"]
    if stream["errors"] or not stream["ok"]:
        sys.exit(f"{stream['ok']} ok and errors {stream['errors']}: nothing to compare")
    trace = document["trace"]
    return {
        CPU: document["generator"]["cpu_ns_per_request"],
        P99: stream["service_unsampled"]["p99_ns"],
        RESPONSE_P99: stream["response"]["p99_ns"],
        LATENESS_P99: stream["lateness"]["p99_ns"],
        "p50_ns": stream["service"]["p50_ns"],
        "achieved_per_s": stream["achieved_per_s"],
        **{key: trace[key] for key in ("decided", "sampled", "sampled_by", "exported", "dropped", "failed", "forward")},
    }


@dataclass(frozen=True)
class Place:
    """Where a client runs: its server's port, and where its own collector listens, to which that server sends its spans."""

    server: int
    collector: int | None

    def tracing(self, chosen):
        elsewhere = {"trace.endpoint": chosen.otlp}
        built_in = {"trace.endpoint": "built-in", "trace.listen": f"127.0.0.1:{self.collector}", "trace.forward": chosen.otlp}
        return {**ON, **(built_in if self.collector else elsewhere), "trace.jaeger": chosen.jaeger}


def one_pair(tailtrace, places, chosen, question, turn, on=True):
    """Both runs of a pair, in places that alternate; `on` is false for a control, of two runs without tracing."""
    order = ("off", "on") if turn % 2 == 0 else ("on", "off")

    def one(number, name):
        place = places[number]
        shape = {"load.duration": f"{chosen.seconds}s"}
        if turns := question.turns:
            shape = {"load.warmup": "0s", "load.duration": f"{turns.length_ms}ms", "readers.stages": turns.stages(number == 1)}
        tracing = place.tracing(chosen) if on and name == "on" else {**OFF, "trace.endpoint": chosen.otlp}
        return tailtrace.document(question.scenario, place.server, CLIENT_CORE, **shape, **tracing)[0]

    for again in range(MISALIGNED_TRIES):
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            runs = {name: pool.submit(one, number, name) for number, name in enumerate(order)}
            documents = {name: run.result() for name, run in runs.items()}
        apart = start_of(documents["on"]) - start_of(documents["off"])
        if not question.turns or abs(apart) * 1_000 < APART_MS:
            return {"first": order[0], "apart_s": apart, "made_again": again, **{name: figures(document) for name, document in documents.items()}}
        print(f"began {apart * 1_000:+.0f} ms apart: made again", flush=True)
    sys.exit(f"{MISALIGNED_TRIES} pairs began more than {APART_MS} ms apart: something else takes this machine's cores")


def judged(pairs, question):
    """Of each figure what the pairs say; those without a limit decide nothing."""
    limits = {**question.limits, **dict.fromkeys(question.told)}
    return {key: judged_by(key, pairs, limit) for key, limit in limits.items()}


def judged_by(key, pairs, limit):
    logs = [math.log(pair["on"][key] / pair["off"][key]) for pair in pairs]
    mean, error = statistics.fmean(logs), statistics.stdev(logs) / math.sqrt(len(logs))
    bound = math.exp(mean + student_quantile(1 - ALPHA, len(logs) - 1) * error)
    low, high = (math.exp(mean + sign * student_quantile(0.975, len(logs) - 1) * error) for sign in (-1, 1))
    return {"ratio": math.exp(mean), "low": low, "high": high, "upper_bound": bound, "limit": limit, "pairs": len(logs)}


def say(title, verdicts):
    for key, verdict in verdicts.items():
        words = "on/off {ratio:.4f} [{low:.4f}, {high:.4f}], one-sided bound {upper_bound:.4f}, limit {limit}, {pairs} pairs"
        print(f"{title}, {key}: {words.format(**verdict)}", flush=True)


def within(verdicts):
    return all(verdict["limit"] is None or verdict["upper_bound"] <= verdict["limit"] for verdict in verdicts.values())


def answered(tailtrace, chosen, question, answer, keep):
    """Pairs until a look shows the bounds, or there are no more looks. What is known of the answer is kept after each look."""
    with contextlib.ExitStack() as servers:
        collectors = [free_port() if chosen.built_in else None for _ in range(2)]
        otlp = [collector and f"http://127.0.0.1:{collector}" for collector in collectors]
        ports = [servers.enter_context(null_server(chosen.tailtrace, question.service, url)) for url in otlp]
        places = list(map(Place, ports, collectors))
        answer["control"] = [one_pair(tailtrace, places, chosen, question, turn, on=False) for turn in range(chosen.pairs)]
        answer["control_verdicts"] = judged(answer["control"], question)
        say(f"{question.name}, both off", answer["control_verdicts"])
        answer["pairs"], answer["looks"] = [], []
        for look in LOOKS:
            for turn in range(len(answer["pairs"]), look * chosen.pairs):
                answer["pairs"].append(one_pair(tailtrace, places, chosen, question, turn))
            answer["looks"].append(judged(answer["pairs"], question))
            keep()
            say(question.name, answer["looks"][-1])
            if within(answer["looks"][-1]):
                break


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--otlp", required=True, help="an OTLP/gRPC endpoint, such as http://127.0.0.1:4317")
    parser.add_argument("--jaeger", required=True, help="the query API behind it, such as http://127.0.0.1:16686")
    parser.add_argument("--built-in", action="store_true", help="by way of the client's own collector, which forwards")
    parser.add_argument("--tailtrace", default=REPOSITORY / "target/release/tailtrace", help="its release build")
    parser.add_argument("--pairs", type=int, default=10, help="pairs at the first look")
    names = [question.name for question in QUESTIONS]
    parser.add_argument("--ask", choices=names, action="append", help="only this question; may be given again")
    parser.add_argument("--seconds", type=int, default=4, help="measured seconds of a run at 64 in flight")
    parser.add_argument("--json", type=pathlib.Path, help="where the raw figures go")
    chosen = parser.parse_args()
    if chosen.pairs < 2:
        parser.error("--pairs: at least 2, for how far pairs scatter is judged by")
    asked = [question for question in QUESTIONS if question.name in (chosen.ask or names)]
    tailtrace = Tailtrace(chosen.tailtrace)
    result = {
        "schema": "tailtrace.tracing-cost/6",
        "machine": facts([tailtrace]),
        "built_in": chosen.built_in,
        "turns": {question.name: vars(question.turns) for question in asked if question.turns},
        "seconds": chosen.seconds,
        "answers": {},
    }

    def keep():
        if chosen.json:
            chosen.json.write_text(json.dumps(result, indent=1) + "\n")

    for question in asked:
        answered(tailtrace, chosen, question, result["answers"].setdefault(question.name, {}), keep)
    if all(within(result["answers"][question.name]["looks"][-1]) for question in asked if question.decides):
        print("every bound that was asked for holds")
        return 0
    print("not shown within the limits")
    return 1


if __name__ == "__main__":
    sys.exit(main())
