"""The load generators that are compared: how each is started for so much load, and what one run of it cost.

A run's cost is that of the whole process, set-up included. What a request costs follows from two runs of different length, in
whose difference everything that happens once cancels out.
"""

import json
import os
import pathlib
import re
import subprocess
import tempfile
import time
from dataclasses import dataclass

HERE = pathlib.Path(__file__).resolve().parent
CALL = "milvus.proto.milvus.MilvusService/Search"
IN_FLIGHT = 64


@dataclass(frozen=True)
class Cost:
    """What a process took from start to end."""

    cpu_s: float
    peak_rss_bytes: int


@dataclass(frozen=True)
class Run:
    """What one process did, and what it took."""

    requests: int
    requests_per_s: float
    cost: Cost


@dataclass(frozen=True)
class Target:
    """The server, the core left for clients, and the request that all of them send."""

    port: int
    client_core: int
    message: pathlib.Path  # with gRPC's five-byte prefix
    body: pathlib.Path  # without it


def measured(command, core):
    """Runs a command on a core; its exit status, output, complaints, CPU seconds and peak memory."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        process = subprocess.Popen(["taskset", "-c", str(core), *map(str, command)], stdout=out, stderr=err)
        peak, ended = 0, 0
        try:
            while not ended:
                # Not `ru_maxrss`: it remembers the memory of the process that was copied to start this one, which is Python's.
                peak = max(peak, peak_memory(process.pid))
                time.sleep(0.1)
                ended, status, usage = os.wait4(process.pid, os.WNOHANG)
        finally:
            if not ended:
                process.kill()
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        err.seek(0)
        text, complaint = out.read().decode(), err.read().decode()
    return process.returncode, text, complaint, Cost(usage.ru_utime + usage.ru_stime, peak)


def peak_memory(pid):
    """The most memory a process has held so far; 0 once it has ended."""
    try:
        status = pathlib.Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    found = re.search(r"VmHWM:\s*(\d+) kB", status)
    return int(found[1]) * 1024 if found else 0


def number(pattern, text, name):
    found = re.search(pattern, text)
    if not found:
        raise SystemExit(f"{name} printed something else than expected: {text[-500:]}")
    return float(found[1])


class Tailtrace:
    name = "tailtrace"

    def __init__(self, binary):
        self.binary = binary

    def version(self):
        return subprocess.run([self.binary, "--version"], capture_output=True, text=True, check=True).stdout.strip()

    def document(self, scenario, port, core, **settings):
        """One run's document and what the process cost."""
        with tempfile.TemporaryDirectory() as out:
            command = [self.binary, "run", HERE / scenario, "--json", "--quiet", "--out", out]
            for key, value in {"target.uri": f"http://127.0.0.1:{port}", **settings}.items():
                command += ["--set", f"{key}={value}"]
            status, text, complaint, cost = measured(command, core)
        # 3: measured, but not to be trusted, which a client that takes all of one core to see what it costs has to be.
        if status not in (0, 3):
            raise SystemExit(f"tailtrace ended with status {status}: {complaint}")
        return json.loads(text), cost

    def run(self, target, seconds):
        document, cost = self.document("closed-loop.toml", target.port, target.client_core, **{"load.duration": f"{seconds}s"})
        (stream,) = document["streams"]
        if stream["errors"] or not stream["ok"]:
            raise SystemExit(f"tailtrace counted {stream['ok']} ok and errors {stream['errors']}")
        # `decided` counts warm-up and drain too, whose CPU is in the process's as well.
        return Run(document["trace"]["decided"], stream["achieved_per_s"], cost)


class H2load:
    name = "h2load"

    def __init__(self, binary="h2load"):
        self.binary = binary

    def version(self):
        return subprocess.run([self.binary, "--version"], capture_output=True, text=True, check=True).stdout.strip()

    def run(self, target, seconds):
        command = [self.binary, "-D", seconds, "-c", 1, "-t", 1, "-m", IN_FLIGHT, "-d", target.message]
        command += ["-H", "content-type: application/grpc", "-H", "te: trailers", f"http://127.0.0.1:{target.port}/{CALL}"]
        status, text, complaint, cost = measured(command, target.client_core)
        failed = number(r"(\d+) failed", text, self.name)
        if status != 0 or failed:
            raise SystemExit(f"h2load: status {status}, {failed:.0f} failed: {complaint}")
        succeeded = int(number(r"(\d+) succeeded", text, self.name))
        return Run(succeeded, number(r"finished in [^,]*, ([\d.]+) req/s", text, self.name), cost)


class Ghz:
    name = "ghz"

    def __init__(self, binary, protos):
        self.binary, self.protos = binary, protos

    def version(self):
        done = subprocess.run([self.binary, "--version"], capture_output=True, text=True, check=True)
        return f"ghz {(done.stdout or done.stderr).strip() or 'of unknown version'}"

    def run(self, target, seconds):
        command = [self.binary, "--insecure", "--proto", self.protos / "milvus.proto", "--import-paths", self.protos]
        command += ["--call", CALL.replace("/", "."), "--binary-file", target.body, "--format", "json"]
        command += ["-z", f"{seconds}s", "--duration-stop", "wait", "-c", IN_FLIGHT, "--connections", 1]
        # Each would render the message anew for every request.
        command += ["--disable-template-functions", "--disable-template-data", f"127.0.0.1:{target.port}"]
        status, text, complaint, cost = measured(command, target.client_core)
        report = json.loads(text) if status == 0 else {}
        if list(report.get("statusCodeDistribution") or {}) != ["OK"]:
            raise SystemExit(f"ghz: status {status}, {report.get('statusCodeDistribution')}: {complaint}")
        return Run(report["count"], report["rps"], cost)
