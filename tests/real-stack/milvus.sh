#!/usr/bin/env bash
# A real Milvus standalone without containers: the server that PyPI's `milvus` package carries.
#
#   milvus.sh install      fetch and unpack it (57 MB; needs the network once)
#   milvus.sh start        with an empty data folder, until it is healthy
#   milvus.sh stop
#
# Ports, folders and the sampling fraction: settings.sh. Milvus binds its ports on every address of the machine and offers no
# setting for it; run.sh therefore runs it inside a network namespace of its own.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=settings.sh
. "$here/settings.sh"
# shellcheck source=process.sh
. "$here/process.sh"

venv=$REAL_STACK_CACHE/milvus-venv
unpacked=$REAL_STACK_CACHE/milvus-$MILVUS_VERSION
data=$REAL_STACK_STATE/milvus

install_milvus() {
    [ "$(uname -s)-$(uname -m)" = Linux-x86_64 ] || fail "PyPI has milvus $MILVUS_VERSION for Linux on x86-64 only"
    make_venv "$venv" "$here/requirements-milvus.txt"
    [ -f "$unpacked/complete" ] || "$venv/bin/python" "$here/milvus_files.py" unpack "$unpacked"
}

start_milvus() {
    install_milvus
    is_running milvus && fail "milvus runs already: stop it first with milvus.sh stop"
    need_free_ports "$MILVUS_PORT" "$MILVUS_HEALTH_PORT"
    rm -rf "$data"
    mkdir -p "$data"
    "$venv/bin/python" "$here/milvus_files.py" configure "$data" \
        "proxy_port=$MILVUS_PORT" \
        "trace.exporter=otlp" \
        "trace.sampleFraction=$MILVUS_SAMPLE_FRACTION" \
        "trace.otlp.endpoint=$MILVUS_TRACE_ENDPOINT" \
        "trace.otlp.secure=false"
    # Milvus reads configs/ from the folder it is started in.
    cd "$data"
    DEPLOY_MODE=STANDALONE METRICS_PORT=$MILVUS_HEALTH_PORT MILVUS_RUN_DIR=$data/run \
        LD_LIBRARY_PATH=$unpacked/bin${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH} \
        start_process milvus "$unpacked/bin/milvus" run standalone
    wait_until_healthy milvus "http://127.0.0.1:$MILVUS_HEALTH_PORT/healthz"
}

case ${1:-} in
install) install_milvus ;;
start) start_milvus ;;
stop) stop_process milvus ;;
*) fail "usage: milvus.sh install|start|stop" ;;
esac
