#!/usr/bin/env python3
"""Asks another open-loop tool what `tailtrace capacity` found: h2load at 90 % and at 115 % of a rate, against the same server.

    confirm_rate.py --uri http://127.0.0.1:19530 --rate R --limit-ms 25 [--scenario FILE] [--seconds S] [--json FILE]

Creates and fills the scenario's collection, keeps it, records one of tailtrace's searches, and sends it again and again at the
rate, as h2load's `--rps` spaces them. h2load measures from sending, and logs every request: p99 is taken from its log, of requests
that were sent after the first tenth of the run. Prints for both rates whether p99 is below the limit. Needs `h2load` (Debian:
nghttp2-client).
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile
from urllib.parse import urlsplit

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "side-by-side"))
from recorder import Recorder  # noqa: E402
from side_by_side import REPOSITORY, facts  # noqa: E402
from tools import CALL, H2load, Tailtrace  # noqa: E402



def recorded_message(chosen, port, keep):
    """One search of tailtrace, byte for byte; the collection stays where `keep` says so."""
    recorder = Recorder(port)
    with tempfile.TemporaryDirectory() as out:
        command = [chosen.tailtrace, "run", chosen.scenario, "--quiet", "--out", out]
        settings = {"target.uri": f"http://127.0.0.1:{recorder.port}", "load.duration": "3s", "collection.keep": keep}
        for key, value in settings.items():
            command += ["--set", f"{key}={value}"]
        subprocess.run(command, check=False, stdout=subprocess.DEVNULL)
    recorder.close()
    return recorder.commonest_message()


def at_rate(rate, message, port, seconds):
    """Every request's time in ms, as h2load logs them, and how many failed."""
    # One connection: several would each send at the same moments, in bursts.
    with tempfile.TemporaryDirectory() as folder:
        log, body = pathlib.Path(folder) / "log", pathlib.Path(folder) / "message"
        body.write_bytes(message)
        command = ["h2load", "-D", seconds, "-c", 1, "-t", 1, "-m", 100, "--rps", rate, "-d", body]
        command += ["--log-file", log, "-H", "content-type: application/grpc", "-H", "te: trailers", f"http://127.0.0.1:{port}/{CALL}"]
        subprocess.run(list(map(str, command)), check=True, stdout=subprocess.DEVNULL)
        lines = [line.split() for line in log.read_text().splitlines()]
    began = min(int(line[0]) for line in lines)
    kept = [line for line in lines if int(line[0]) - began > seconds * 1e6 / 10]
    return sorted(int(line[2]) / 1000 for line in kept), sum(line[1] != "200" for line in kept)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--tailtrace", default=REPOSITORY / "target/release/tailtrace", help="its release build")
    parser.add_argument("--uri", required=True)
    parser.add_argument("--scenario", default=HERE / "milvus_exact.toml", type=pathlib.Path)
    parser.add_argument("--rate", type=float, required=True)
    parser.add_argument("--limit-ms", type=float, required=True)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--json", type=pathlib.Path)
    chosen = parser.parse_args()
    port = urlsplit(chosen.uri).port
    message = recorded_message(chosen, port, "true")
    found = []
    for share in (0.9, 1.15):
        rate = share * chosen.rate
        times, failed = at_rate(rate, message, port, chosen.seconds)
        figure = {
            "share": share,
            "rate_per_s": rate,
            "achieved_per_s": len(times) / (0.9 * chosen.seconds),
            "failed": failed,
            **{f"p{q}_ms": times[int(len(times) * q / 100)] for q in (50, 95, 99)},
        }
        figure["passed"] = figure["p99_ms"] < chosen.limit_ms and not failed and figure["achieved_per_s"] >= 0.99 * rate
        found.append(figure)
        print(figure, flush=True)
    if chosen.json:
        record = {"machine": facts([Tailtrace(chosen.tailtrace), H2load()]), "limit_ms": chosen.limit_ms, "rates": found}
        chosen.json.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
