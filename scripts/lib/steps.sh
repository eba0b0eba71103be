# Sourced by the scripts: says what happens, and never lets a minute pass in silence.
# shellcheck shell=bash

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)

say() { printf '\n==> %s\n' "$*"; }
note() { printf '    %s\n' "$*"; }
fail() { printf '\nerror: %s\n' "$*" >&2; exit 1; }

# with_heartbeat WHAT COMMAND...: runs the command; while it runs, a line every 30 s tells that it still does.
with_heartbeat() {
    local what=$1 began=$SECONDS status=0 beat
    shift
    # The sleep holds none of our pipes: a reader at their end must not wait for it.
    (while sleep 30 </dev/null >/dev/null 2>&1; do note "... still $what, $((SECONDS - began)) s so far"; done) &
    beat=$!
    "$@" || status=$?
    kill "$beat" 2>/dev/null || true
    wait "$beat" 2>/dev/null || true
    note "$what took $((SECONDS - began)) s"
    return "$status"
}

# build_release: the programs as they are run in earnest, with Swift's runtime inside, so that the machine they go to
# needs none. It is a few per cent faster, too.
build_release() {
    local product
    [ $# -gt 0 ] || set -- selvage-server selvage selvage-agent selvage-demo
    for product in "$@"; do
        with_heartbeat "building $product" swift build -c release --static-swift-stdlib --product "$product"
    done
}
