#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""cipu-graph: every message with its place, what is accepted, and what is written."""
import os
import subprocess
import tempfile

GRAPH = os.environ.get("B", "build/release") + "/bin/cipu-graph"
SHELL = """[shell]
port.rx0=out beat      # a comment
port.tx0=in beat
memory:2.request=in memory_request
memory:2.line=out memory_line
"""
KERNELS = {
    "copy": "/* STEP(copy, STREAM_IN(struct no, no)) */\n#include \"x.h\" // STEP(copy,\n"
            "STEP(copy, struct copy_state *state,\n     STREAM_IN(struct beat, in), STREAM_OUT(struct beat, out))\n{\n}\n",
    "ask": "STEP(ask, STREAM_IN(struct beat, in), STREAM_IN_COND(struct memory_line, line),\n"
           "  STREAM_OUT(struct memory_request, request), STREAM_OUT(struct beat, out))\n",
    "pick": "ARBITER(pick, STREAM_IN(struct beat, a), STREAM_IN(struct beat, b), STREAM_OUT(struct beat, out))\n",
    "empty": "int main(void) { return 0; }\n",
    "twice": "STEP(twice, STREAM_IN(struct beat, in))\nSTEP(twice, STREAM_IN(struct beat, in))\n",
    "none": "STEP(none, struct none_state *state)\n",
    "late": "STEP(late, STREAM_IN(struct beat, in), struct late_state *state)\n",
    "word": "STEP(word, STREAM_IN(uint32_t, in))\n",
    "same": "STEP(same, STREAM_IN(struct beat, in), STREAM_OUT(struct beat, in))\n",
    "cut": "STEP(cut, STREAM_IN(struct beat, in)\n",
    "odd": "\n\nSTEP(odd, STREAM_INOUT(struct beat, in))\n",
}
WIRE = "stream_connect=port.rx0:c.in\nstream_connect=c.out:port.tx0\n"

CASES = [  # card.cfg after [connectivity] (line 1), messages
    ("nk=copy:1:c\n" + WIRE, []),
    (WIRE + "nk=copy:1:c\nslr=c:SLR0\n", []),
    ("nk=copy:2:c,d\nsc=port.rx0:c.in:2\nsc=c.out:d.in:65536\nsc=d.out:port.tx0\n", []),
    ("nk=copy:2\nsc=port.rx0:copy_1.in\nsc=copy_1.out:copy_2.in\nsc=copy_2.out:port.tx0\n", []),
    ("sc=port.rx0:port.tx0\n", []),
    ("nk=copy:1:c\n", ["card.cfg:2: c.in (input, struct beat) is not connected, expected one stream_connect",
                       "card.cfg:2: c.out (output, struct beat) is not connected, expected one stream_connect"]),
    ("nk=copy\n", ["card.cfg:2: found 'nk=copy:', expected nk=KERNEL:COUNT[:NAME.NAME...]"]),
    ("nk=copy:0:c\n", ["card.cfg:2: found 'nk=copy:0', expected nk=KERNEL:COUNT[:NAME.NAME...]"]),
    ("nk=copy:2:c\nsc=port.rx0:c.in\nsc=c.out:port.tx0\n", ["card.cfg:2: found 1 instance names, expected 2"]),
    ("nk=copy:1:c.d\nsc=port.rx0:c.in\nsc=c.out:port.tx0\n", ["card.cfg:2: found 2 instance names, expected 1"]),
    ("nk=copy:1:c\nnk=copy:1:c\n" + WIRE,
     ["card.cfg:3: found instance 'c' again, expected a name that card.cfg:2 does not use"]),
    ("nk=copy:1:port\n", ["card.cfg:2: found instance 'port' again, expected a name that shell.cfg:2 does not use"]),
    ("nk=copy:1:c-d\n", ["card.cfg:2: found instance name 'c-d', expected letters, digits and _"]),
    ("nk=gone:1\n", ["card.cfg:2: no source of kernel 'gone', expected k/gone/gone.c"]),
    ("nk=empty:1\n", ["k/empty/empty.c:1: found 'no kernel', expected STEP(empty, ...) or ARBITER(empty, ...)"]),
    ("nk=twice:1\n", ["k/twice/twice.c:2: found 'twice', expected one STEP or ARBITER of this name"]),
    ("nk=none:1\n", ["k/none/none.c:1: found ')', expected at least one stream"]),
    ("nk=late:1\n", ["k/late/late.c:1: found 'struct', expected STREAM_IN, STREAM_IN_COND or STREAM_OUT"]),
    ("nk=word:1\n", ["k/word/word.c:1: found 'uint32_t', expected 'struct'"]),
    ("nk=same:1\n", ["k/same/same.c:1: found 'in', expected a name that no other stream of this kernel has"]),
    ("nk=cut:1\n", ["k/cut/cut.c:2: found '', expected ')'"]),
    ("nk=odd:1\n", ["k/odd/odd.c:3: found 'STREAM_INOUT', expected 'struct NAME *state', STREAM_IN, STREAM_IN_COND or "
                    "STREAM_OUT"]),
    ("nk=copy:1:c\n" + WIRE + "sc=port.rx0:c.in\n",
     ["card.cfg:5: found 'port.rx0' again, expected one stream: card.cfg:3 connects it already",
      "card.cfg:5: found 'c.in' again, expected one stream: card.cfg:3 connects it already"]),
    ("sc=port.rx0\n", ["card.cfg:2: found 'sc=port.rx0', expected sc=INSTANCE.OUTPUT:INSTANCE.INPUT[:DEPTH]"]),
    ("sc=rx0:port.tx0\n", ["card.cfg:2: found 'rx0', expected INSTANCE.STREAM"]),
    ("sc=p.rx0:port.tx0\n", ["card.cfg:2: found 'p.rx0', expected an instance named by nk= or by the shell"]),
    ("sc=port.rx7:port.tx0\n", ["card.cfg:2: found 'port.rx7', expected one of the streams of port: rx0, tx0"]),
    ("sc=port.tx0:port.rx0\n", ["card.cfg:2: found 'port.tx0', an input, expected an output: OUTPUT:INPUT[:DEPTH]",
                                "card.cfg:2: found 'port.rx0', an output, expected an input: OUTPUT:INPUT[:DEPTH]"]),
    ("sc=port.rx0:port.tx0:48\n", ["card.cfg:2: found depth '48', expected a power of two from 2 to 65536"]),
    ("sc=port.rx0:port.tx0:1\n", ["card.cfg:2: found depth '1', expected a power of two from 2 to 65536"]),
    ("sc=port.rx0:port.tx0:131072\n", ["card.cfg:2: found depth '131072', expected a power of two from 2 to 65536"]),
    ("sc=port.rx0:port.tx0:4294967298\n",
     ["card.cfg:2: found depth '4294967298', expected a power of two from 2 to 65536"]),
    ("sc=port.rx0:memory_0.request\n", ["card.cfg:2: port.rx0 carries struct beat and memory_0.request takes struct "
                                        "memory_request, expected the same record"]),
    ("nk=copy:1:c\nsc=c.out:c.in\n",
     ["card.cfg:3: c drives itself, expected another kernel between (v++ refuses it)",
      "card.cfg:2: c.in (input, struct beat) is not connected, expected one stream_connect",
      "card.cfg:2: c.out (output, struct beat) is not connected, expected one stream_connect"]),
    ("nk=ask:1:a\nnk=pick:1:p\nnk=copy:1:c\nsc=port.rx0:a.in\nsc=a.request:memory_0.request\nsc=a.out:p.a\n"
     "sc=memory_1.line:a.line\nsc=p.out:c.in\nsc=c.out:p.b\n",
     ["card.cfg:6: memory_0.line is not connected, expected all streams of memory_0 or none",
      "card.cfg:8: memory_1.request is not connected, expected all streams of memory_1 or none"]),
    ("sp=a.b:HBM[0]\n", ["card.cfg:2: found 'sp', expected nk, stream_connect, sc or slr"]),
    ("slr=c\n", ["card.cfg:2: found 'slr=c', expected slr=INSTANCE:SLRn"]),
    ("slr=c:SLR1\n", ["card.cfg:2: found 'slr=c:SLR1', expected an instance named by nk="]),
    ("nonsense\n", ["card.cfg:2: found 'nonsense', expected key=value"]),
    ("[clock]\n", ["card.cfg:2: found section '[clock]', expected [connectivity]"]),
]

SHELL_CASES = [  # line added to the shell file, message
    ("a.b=sideways beat", "shell.cfg:7: found 'sideways beat', expected 'in RECORD' or 'out RECORD'"),
    ("a.b=in", "shell.cfg:7: found 'in ', expected 'in RECORD' or 'out RECORD'"),
    ("a=in beat", "shell.cfg:7: found 'a', expected INSTANCE.STREAM or INSTANCE:COUNT.STREAM"),
    ("a:0.b=in beat", "shell.cfg:7: found 'a:0.b', expected INSTANCE.STREAM or INSTANCE:COUNT.STREAM"),
    ("port.rx0=in beat", "shell.cfg:7: found 'port.rx0' again, expected one line for each stream"),
]

count = 0


def check(good, name, detail=""):
    global count
    count += 1
    print(f"{'ok' if good else 'not ok'} {count} - {name}", flush=True)
    if not good:
        for line in detail.splitlines():
            print(f"# {line}")


def run(folder, *arguments):
    return subprocess.run([os.path.abspath(GRAPH), "-s", "shell.cfg", "-k", "k", *arguments], cwd=folder, text=True,
                          capture_output=True, timeout=60)


def write(folder, name, text):
    path = os.path.join(folder, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def main():
    with tempfile.TemporaryDirectory() as folder:
        for name, text in KERNELS.items():
            write(folder, f"k/{name}/{name}.c", text)
        write(folder, "shell.cfg", SHELL)
        for text, messages in CASES:
            write(folder, "card.cfg", "[connectivity]\n" + text)
            result = run(folder, "card.cfg")
            good = result.stderr.splitlines() == messages and result.returncode == (1 if messages else 0)
            check(good, messages[0] if messages else "accepted: " + text.replace("\n", " "), result.stderr)
        write(folder, "card.cfg", "nk=copy:1\n")
        result = run(folder, "card.cfg")
        check("card.cfg:1: found 'nk=copy:1' outside of a section, expected [connectivity] before it" in result.stderr,
              "a line before the section", result.stderr)
        for line, message in SHELL_CASES:
            write(folder, "shell.cfg", SHELL + "\n" + line + "\n")
            write(folder, "card.cfg", "[connectivity]\n")
            result = run(folder, "card.cfg")
            check(result.stderr.splitlines() == [message] and result.returncode == 1, message, result.stderr)
        write(folder, "shell.cfg", SHELL)
        result = run(folder, "none.cfg")
        check(result.returncode == 1 and "none.cfg: No such file" in result.stderr, "a file that is not there",
              result.stderr)

        write(folder, "card.cfg", "[connectivity]\nnk=ask:1:a\nnk=pick:1:p\nnk=copy:1:c\nsc=port.rx0:p.b\nsc=p.out:a.in\n"
              "sc=a.request:memory_0.request\nsc=memory_0.line:a.line\nsc=a.out:c.in\nsc=c.out:p.a\n")
        result = run(folder, "--check", "card.cfg")
        check("cycle: a -> c -> p -> a\n" in result.stdout and "1 cycles" in result.stdout, "a cycle is reported",
              result.stdout + result.stderr)
        order = [line.split()[0] for line in result.stdout.splitlines()[:5]]
        check(order.index("port") < order.index("p") < order.index("a"), "the schedule begins at the port", str(order))
        result = run(folder, "--dot", "-", "card.cfg")
        check(result.stdout.startswith("digraph card {") and "a -> c [" in result.stdout, "a picture", result.stdout)
        result = run(folder, "--native", "-", "--name", "test", "card.cfg")
        check("native_graph_test" in result.stdout and "hls_chunk_bound(chunk, &p_in)" in result.stdout and
              "hls_chunk_bound(chunk, &p_line)" not in result.stdout, "conditional inputs do not bound a chunk",
              result.stdout)
        result = run(folder, "--rtl", "-", "--name", "test", "card.cfg")
        check("module test_graph (" in result.stdout and ".DEPTH(64)\n  ) a__out__c__in (" in result.stdout and
              "input  logic [2*cipu::MEMORY_LINE_BITS-1:0] memory_line_data" in result.stdout and
              "assign memory_request_valid[1] = '0;" in result.stdout, "a module of the graph",
              result.stdout)
        check(run(folder, "--native", "/nowhere/x.c", "card.cfg").returncode == 2, "a file that cannot be written")
        check(run(folder, "--what").returncode == 2 and run(folder, "a", "b").returncode == 2, "usage")
        check("Usage: cipu-graph" in run(folder, "--help").stdout, "help")
        write(folder, "card.cfg", "[connectivity]\nnk=copy:1:c\nsc=port.rx0:c.in\n")
        check(run(folder, "--open", "card.cfg").returncode == 0, "open ends where they are asked for")
    print(f"1..{count}")


main()
