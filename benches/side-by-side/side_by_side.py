#!/usr/bin/env python3
"""What a request costs the client, beside other load generators in the same minutes; and how well requests keep their time.

    side_by_side.py [--tailtrace BINARY] [--rounds N] [--long SECONDS] [--ghz BINARY] [--json FILE]

The server is `tailtrace practice` with canned answers, on one core; the client has another core to itself. All clients send
the same recorded bytes with 64 in flight on one connection. CPU per request is that of the whole process, by the difference
of a short and a long run. Machines drift, so the clients take turns (A B B A …), and the ratio is judged by rounds. Needs two
cores, `taskset` and `h2load` (Debian: nghttp2-client); ghz is optional.
"""

import argparse
import contextlib
import json
import math
import os
import pathlib
import platform
import random
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

from recorder import Recorder
from student import student_quantile
from tools import HERE, Ghz, H2load, Tailtrace, Target

REPOSITORY = HERE.parents[1]
SERVER_CORE, CLIENT_CORE = 0, 1
SHORT_S = 2
PACING_TRIES = 3
LOWEST_PORT, PORTS_TRIED = 10_000, 100


def free_port():
    """A port that nobody has, below those that the kernel gives out by itself: it stays free until it is used."""
    first_given_out = int(pathlib.Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    ports = range(LOWEST_PORT, first_given_out)
    for port in random.sample(ports, min(PORTS_TRIED, len(ports))):
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
    sys.exit(f"no free port from {LOWEST_PORT} to {first_given_out}, where the kernel begins to give them out (ip_local_port_range)")


@contextlib.contextmanager
def null_server(binary, service=None, otlp=None):
    """The practice target with canned answers, in a process of its own and pinned to its core; its port. It answers at once, or takes
    the service time that is given. Its spans of traced requests go to `otlp`; without one it makes none."""
    port = free_port()
    command = ["taskset", "-c", str(SERVER_CORE), binary, "practice", "--port", str(port), "--search", "canned"]
    command += ["--service", service] if service else []
    command += ["--otlp", otlp] if otlp else []
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        for _ in range(100):
            if server.poll() is not None:
                sys.exit(f"the practice target ended: {server.stderr.read().decode()}")
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                break
            time.sleep(0.05)
        yield port
    finally:
        server.terminate()
        server.wait(timeout=10)


def recorded_message(tailtrace, port):
    """One search of tailtrace, byte for byte."""
    recorder = Recorder(port)
    tailtrace.document("closed-loop.toml", recorder.port, CLIENT_CORE, **{"load.duration": "1s", "load.warmup": "0s"})
    recorder.close()
    return recorder.commonest_message()


def one_round(tools, target, turn, long_s):
    """CPU per request of each tool, in an order that alternates with the turn."""
    costs = {}
    for tool in tools if turn % 2 == 0 else reversed(tools):
        short, long = tool.run(target, SHORT_S), tool.run(target, long_s)
        if long.requests <= short.requests or long.cost.cpu_s <= short.cost.cpu_s:
            sys.exit(f"{tool.name} did no more in {long_s} s than in {SHORT_S} s: something else takes this machine's cores")
        costs[tool.name] = {
            "cpu_us_per_request": (long.cost.cpu_s - short.cost.cpu_s) / (long.requests - short.requests) * 1e6,
            "requests_per_s": long.requests_per_s,
            "peak_rss_bytes": long.cost.peak_rss_bytes,
            "peak_rss_short_bytes": short.cost.peak_rss_bytes,
            "requests": long.requests,
        }
    return costs


def ratio_of(rounds, of, to):
    """Geometric mean over the rounds of one tool's cost over another's, with a 95 % interval of Student's t on the logarithm."""
    logs = [math.log(costs[of]["cpu_us_per_request"] / costs[to]["cpu_us_per_request"]) for costs in rounds]
    mean = statistics.fmean(logs)
    if len(logs) < 2:
        return {"of": of, "to": to, "ratio": math.exp(mean), "low": None, "high": None, "rounds": len(logs)}
    half = student_quantile(0.975, len(logs) - 1) * statistics.stdev(logs) / math.sqrt(len(logs))
    return {
        "of": of,
        "to": to,
        "ratio": math.exp(mean),
        "low": math.exp(mean - half),
        "high": math.exp(mean + half),
        "rounds": len(logs),
    }


def pacing(tailtrace, port):
    """Lateness and response at 10,000/s, best try first: what else the machine does can only add to them."""
    tries = []
    for _ in range(PACING_TRIES):
        document, _ = tailtrace.document("pacing.toml", port, CLIENT_CORE)
        (stream,) = document["streams"]
        tries.append(
            {
                "lateness_p50_ns": stream["lateness"]["p50_ns"],
                "lateness_p99_ns": stream["lateness"]["p99_ns"],
                "response_p50_ns": stream["response"]["p50_ns"],
                "response_p99_ns": stream["response"]["p99_ns"],
                "achieved_per_s": stream["achieved_per_s"],
                "lane_cpu_share": document["generator"]["lanes"][0]["cpu_share"],
                "trust": document["trust"],
            }
        )
    return sorted(tries, key=lambda figures: figures["lateness_p99_ns"])


def facts(tools):
    cpu = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "unknown")
    memory = int(next(line for line in open("/proc/meminfo") if line.startswith("MemTotal")).split()[1]) * 1024
    commit = subprocess.run(
        ["git", "-C", REPOSITORY, "describe", "--always", "--dirty", "--abbrev=12"], capture_output=True, text=True
    )
    return {
        "date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "commit": commit.stdout.strip() or None,
        "cpu": cpu,
        "cores": os.cpu_count(),
        "memory_bytes": memory,
        "kernel": platform.release(),
        "tools": [tool.version() for tool in tools],
    }


def report(result):
    """The same for people."""
    machine = result["machine"]
    print(f"{machine['cpu']}, {machine['cores']} cores, {machine['memory_bytes'] / 2**30:.0f} GiB, kernel {machine['kernel']}")
    print(f"{machine['date']}, commit {machine['commit']}; {'; '.join(machine['tools'])}\n")
    print(f"{'':10} {'CPU a request':>14} {'requests/s':>11} {'peak memory':>12}   (medians of {len(result['rounds'])} rounds)")
    for name in result["rounds"][0]:
        cpu, rate, rss = (
            statistics.median(costs[name][key] for costs in result["rounds"])
            for key in ("cpu_us_per_request", "requests_per_s", "peak_rss_bytes")
        )
        print(f"{name:10} {cpu:11.2f} us {rate:11,.0f} {rss / 1e6:9.1f} MB")
    for ratio in result["ratios"]:
        interval = f" [{ratio['low']:.2f}, {ratio['high']:.2f}]" if ratio["low"] else ""
        print(f"{ratio['of']} / {ratio['to']}: {ratio['ratio']:.2f}{interval}")
    print("\nconstant 10,000/s on one lane, best try first:")
    for figures in result["pacing"]:
        late50, late99, response50, response99 = (
            figures[key] / 1000 for key in ("lateness_p50_ns", "lateness_p99_ns", "response_p50_ns", "response_p99_ns")
        )
        print(
            f"  lateness p50 {late50:.1f} us, p99 {late99:.1f} us; response p50 {response50:.1f} us, p99 {response99:.1f} us; "
            f"{figures['achieved_per_s']:,.0f}/s, lane {figures['lane_cpu_share']:.0%}, {figures['trust']}"
        )


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--tailtrace", default=REPOSITORY / "target/release/tailtrace", help="its release build")
    parser.add_argument("--ghz", help="a ghz binary, to stand beside the others")
    parser.add_argument("--rounds", type=int, default=4, help="turns of each client; an even number balances them")
    parser.add_argument("--long", type=int, default=8, help="seconds of a long run; 150 is some ten million requests")
    parser.add_argument("--json", type=pathlib.Path, help="where the raw figures go")
    chosen = parser.parse_args()
    for command in ("taskset", "h2load", chosen.tailtrace, *([chosen.ghz] if chosen.ghz else [])):
        if not shutil.which(command):
            sys.exit(f"{command} is missing: see the head of this script for what it needs")
    if len(os.sched_getaffinity(0)) < 2:
        sys.exit("needs two cores: one for the server, one for the client")
    return chosen


def main():
    # Ends the clients and the server too, which are ended where the program unwinds.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    chosen = arguments()
    tailtrace = Tailtrace(chosen.tailtrace)
    tools = [tailtrace, H2load()] + ([Ghz(chosen.ghz, REPOSITORY / "proto")] if chosen.ghz else [])
    with null_server(chosen.tailtrace) as port, tempfile.TemporaryDirectory() as folder:
        message = recorded_message(tailtrace, port)
        target = Target(port, CLIENT_CORE, pathlib.Path(folder) / "message", pathlib.Path(folder) / "body")
        target.message.write_bytes(message)
        target.body.write_bytes(message[5:])
        rounds = [one_round(tools, target, turn, chosen.long) for turn in range(chosen.rounds)]
        result = {
            "schema": "tailtrace.side-by-side/1",
            "machine": facts(tools),
            "message_bytes": len(message) - 5,
            "in_flight": 64,
            "rounds": rounds,
            "ratios": [ratio_of(rounds, tailtrace.name, tool.name) for tool in tools[1:]],
            "pacing": pacing(tailtrace, port),
        }
    report(result)
    if chosen.json:
        chosen.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
