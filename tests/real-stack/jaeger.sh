#!/usr/bin/env bash
# A real Jaeger without containers: all-in-one, built from the Go module in jaeger/, which pins every dependency.
#
#   jaeger.sh install      build it (two to three minutes on two cores; again only when jaeger/go.mod or go.sum change)
#   jaeger.sh start        with empty in-memory storage, until it is healthy; JAEGER_TLS_CERT and JAEGER_TLS_KEY: takes spans by TLS only
#   jaeger.sh stop
#
# Every port is bound on loopback. Its web page is a placeholder in this build; the query API is whole.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=settings.sh
. "$here/settings.sh"
# shellcheck source=process.sh
. "$here/process.sh"

key=$(cat "$here/jaeger/go.mod" "$here/jaeger/go.sum" | sha256sum | cut -c1-16)
binary=$REAL_STACK_CACHE/jaeger-$key/jaeger

install_jaeger() {
    [ -x "$binary" ] && return
    need_tool go "install Go $JAEGER_GO_NEEDED or newer from https://go.dev/dl"
    note "building Jaeger once, into $binary"
    mkdir -p "$(dirname "$binary")"
    # Built under another name: an interrupted build leaves nothing that looks whole.
    (cd "$here/jaeger" && go build -mod=readonly -trimpath -ldflags '-s -w' -o "$binary.part" \
        github.com/jaegertracing/jaeger/cmd/all-in-one) || fail "Jaeger did not build with $(go version): see Go's message above; it needs Go $JAEGER_GO_NEEDED or newer"
    mv "$binary.part" "$binary"
}

start_jaeger() {
    install_jaeger
    is_running jaeger && fail "jaeger runs already: stop it first with jaeger.sh stop"
    need_free_ports "$JAEGER_OTLP_PORT" "$JAEGER_HTTP_PORT" "$JAEGER_ADMIN_PORT"
    local tls=()
    if [ -n "${JAEGER_TLS_CERT:-}" ]; then
        tls=(--collector.otlp.grpc.tls.enabled=true "--collector.otlp.grpc.tls.cert=$JAEGER_TLS_CERT" "--collector.otlp.grpc.tls.key=$JAEGER_TLS_KEY")
    fi
    # Port 0 takes any free one: what nobody here talks to must not get in anybody's way.
    SPAN_STORAGE_TYPE=memory start_process jaeger "$binary" \
        "--memory.max-traces=$JAEGER_MAX_TRACES" \
        "--collector.otlp.grpc.host-port=127.0.0.1:$JAEGER_OTLP_PORT" \
        "--query.http-server.host-port=127.0.0.1:$JAEGER_HTTP_PORT" \
        "--admin.http.host-port=127.0.0.1:$JAEGER_ADMIN_PORT" \
        --collector.otlp.http.host-port=127.0.0.1:0 \
        --query.grpc-server.host-port=127.0.0.1:0 \
        --collector.grpc-server.host-port=127.0.0.1:0 \
        --collector.http-server.host-port=127.0.0.1:0 \
        --http-server.host-port=127.0.0.1:0 \
        --processor.jaeger-binary.server-host-port=127.0.0.1:0 \
        --processor.jaeger-compact.server-host-port=127.0.0.1:0 \
        --processor.zipkin-compact.server-host-port=127.0.0.1:0 "${tls[@]}"
    wait_until_healthy jaeger "http://127.0.0.1:$JAEGER_ADMIN_PORT/"
}

case ${1:-} in
install) install_jaeger ;;
start) start_jaeger ;;
stop) stop_process jaeger ;;
*) fail "usage: jaeger.sh install|start|stop" ;;
esac
