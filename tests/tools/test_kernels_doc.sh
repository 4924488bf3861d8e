#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# time limit: 300
# The way of docs/kernels.md from an empty file to hardware: its commands do what the page says.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
page=docs/kernels.md
kernel=docs/examples/kernel/mac_swap/mac_swap.c
bin=${B:-build/release}/bin
count=0

check() { # NAME COMMAND...
    local name=$1 output
    shift
    count=$((count + 1))
    if output=$("$@" 2>&1); then
        echo "ok $count - $name"
    else
        echo "not ok $count - $name"
        printf '%s\n' "$output" | sed 's/^/# /'
    fi
}

# The page shows the kernel as it is.
shown() {
    sed -n '/^    STEP(/,/^    }/s/^    //p' "$page" >"$folder/shown"
    sed -n '/^STEP(/,/^}/p' "$kernel" | diff "$folder/shown" -
}

native_test() {
    clang-19 -std=c11 -D_GNU_SOURCE -I. -fsanitize=address,undefined -fno-sanitize-recover=all -o "$folder/test" \
        docs/examples/kernel/test_mac_swap.c -lcmocka && "$folder/test"
}

report() {
    "$bin/hlsc" -o "$folder" "$kernel" | grep -xF -f <(sed -n 's/^    \(mac_swap: stages.*\)/\1/p' "$page")
}

# The page's lines in the card's configuration, and the line that they replace.
in_the_card() {
    sed -n 's/^    \(\(nk\|stream_connect\)=.*mac_swap.*\)/\1/p' "$page" >"$folder/lines"
    [ "$(wc -l <"$folder/lines")" = 3 ] || return 1
    { grep -v '^stream_connect=port.rx0:ingress.port0:' hls/card.cfg && cat "$folder/lines"; } >"$folder/card.cfg"
    "$bin/cipu-graph" --kernels hls --kernels docs/examples/kernel --check "$folder/card.cfg" | grep -F "$kernel"
}

check 'the page shows the kernel' shown
check 'the test of the kernel passes' native_test
check 'hlsc reports what the page says' report
check 'the module is the kernel, bit by bit' tests/tools/hlsc/test_rtl.py "$kernel"
check 'the kernel fits into the card' in_the_card
echo "1..$count"
