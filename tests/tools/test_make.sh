#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Two makes in one build folder: while one is in the middle of an output, the other finds nothing half made and ends well.
set -u
. tests/e2e/tap.sh

work=$(mktemp -d)
trap 'rm -rf "$work"; rm -f "$tap_output"' EXIT

mkdir "$work/tools" "$work/bin" "$work/slow"
cp Makefile "$work/"
cat >"$work/tools/module.mk" <<'END'
$(eval $(call library,answer,tools/answer.c))
$(eval $(call program,ask,tools/ask.c,answer))
END
echo 'int answer(void) { return 42; }' >"$work/tools/answer.c"
echo 'int answer(void); int main(void) { return answer() == 42 ? 0 : 1; }' >"$work/tools/ask.c"

# A tool that, when it makes a chosen file, writes a beginning of it and waits before it makes the whole.
for tool in ar clang-19; do
    cat >"$work/slow/$tool" <<END
#!/bin/bash
case \$0 in
*/ar) output=\$2 ;;
*) output=\$(sed 's/.* -o \([^ ]*\).*/\1/' <<<"\$*") ;;
esac
case \$output in
*"\${HALF_MADE:-none}")
    printf '!<arch>\n' >"\$output"
    echo >"$work/begun"
    read -r _ <"$work/go"
    rm -f "\$output"
    ;;
esac
exec $(command -v $tool) "\$@"
END
    chmod +x "$work/slow/$tool"
done
mkfifo "$work/begun" "$work/go"
exec 5<>"$work/begun" 6<>"$work/go"

build() {
    make -C "$work" --no-print-directory CC=clang-19 all
}

# The first make stands in the middle of the file whose name contains $1 while the second runs from start to end.
second_make_succeeds() {
    rm -rf "$work/build"
    HALF_MADE=$1 PATH=$work/slow:$PATH build &
    first=$!
    read -r -t 60 _ <&5 || return 1
    build && "$work/build/release/bin/ask"
    second=$?
    echo >&6
    wait "$first"
    first=$?
    return "$second"
}

both_succeed() {
    second_make_succeeds "$1" && [ "$first" = 0 ] && "$work/build/release/bin/ask"
}

nothing_left() {
    ! find "$work/build" -name '.new*' | grep .
}

for half_made in libanswer.a answer.c.o ask; do
    check "beside a make that is amid $half_made" both_succeed "$half_made"
done
check 'nothing but outputs is left' nothing_left
check_not 'a tool that fails makes no output' make -C "$work" -B CC=clang-19 AR=false all
check 'nothing but outputs is left after a failure' nothing_left
tap_done
