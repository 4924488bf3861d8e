# SPDX-License-Identifier: Apache-2.0
"""Random kernels within the rules of hls/include/hls.h: whatever they compute, C and hardware have to agree on it."""
import os
import random

WIDTHS = {"uint8_t": 1, "uint16_t": 2, "uint32_t": 4, "uint64_t": 8}


class Kernel:
    def __init__(self, seed):
        self.random = random.Random(seed)
        self.name = f"random_{seed}"
        self.lines = []
        self.depth = 1
        self.locals = []
        self.serial = 0

    def chance(self, percent):
        return self.random.randrange(100) < percent

    def fields(self, prefix, count):
        """(type, name, array length or 0), widest first, so that nothing needs padding; the last fill up to 8 bytes."""
        made = []
        for i in range(count):
            kind = self.random.choice(list(WIDTHS))
            made.append((kind, f"{prefix}{i}", self.random.choice([0, 0, 0, 3, 4, 8])))
        made.sort(key=lambda field: -WIDTHS[field[0]])
        size = sum(WIDTHS[kind] * max(1, length) for kind, _, length in made)
        if size % 8:
            made.append(("uint8_t", f"{prefix}_fill", 8 - size % 8))
        return made

    def struct(self, name, fields):
        body = "".join(f"    {kind} {field}{f'[{length}]' if length else ''};\n" for kind, field, length in fields)
        return f"struct {name} {{\n{body}}};\n\n"

    def emit(self, text):
        self.lines.append("    " * self.depth + text)

    def index(self, length):
        """An index within bounds: constant or data."""
        if self.expressions > 30 or self.chance(50):
            return str(self.random.randrange(length)) + "u"
        power = 1 << (length.bit_length() - 1)
        return f"({self.expression(2)}) & {power - 1}u"

    def place(self, base, fields):
        kind, name, length = self.random.choice(fields)
        return kind, f"{base}->{name}" + (f"[{self.index(length)}]" if length else "")

    def leaf(self):
        if self.locals and self.chance(30):
            return f"(uint32_t){self.random.choice(self.locals)}"
        if self.chance(15):
            value = self.random.choice([0, 1, 2, 255, 0x8000, 0xffff, 0xffffffff, self.random.getrandbits(32)])
            return f"{value}u"
        kind, text = self.place(*self.random.choice(self.readable))
        return f"(uint32_t)({text} >> {self.random.randrange(33)})" if kind == "uint64_t" else f"(uint32_t){text}"

    def expression(self, depth):
        """A uint32_t, without undefined behaviour."""
        self.expressions += 1
        if depth == 0 or self.expressions > 40 or self.chance(15):
            return self.leaf()
        a, b = self.expression(depth - 1), self.expression(depth - 1)
        kind = self.random.randrange(17)
        if kind < 7:
            return f"(({a}) {self.random.choice('+-*&|^')} ({b}))"
        if kind < 9:
            return f"(({a}) {self.random.choice(['<<', '>>'])} (({b}) & 31u))"
        if kind < 11:
            return f"({self.condition(depth - 1)} ? ({a}) : ({b}))"
        if kind == 11:
            return f"(uint32_t)(uint8_t)({a})"
        if kind == 12:
            return f"(uint32_t)(int32_t)(int16_t)({a})"
        if kind == 13:
            return f"(uint32_t)((((uint64_t)({a}) << 32 | ({b})) * 0x{self.random.getrandbits(40):x}u) >> 29)"
        if kind == 14:
            return f"helper(({a}), ({b}))"
        if kind == 15:
            return f"(({a}) / {1 << self.random.randrange(8)}u)"
        return f"(uint32_t)__builtin_bswap32({a})"

    def condition(self, depth):
        a, b = self.expression(depth), self.expression(depth)
        kind = self.random.randrange(5)
        if kind == 0:
            return f"((int32_t)({a}) < (int32_t)({b}))"
        if kind == 1:
            return f"(({a}) == ({b}))"
        if kind == 2:
            return f"((({a}) & 3u) != 0 && (({b}) & 1u) == 0)"
        if kind == 3:
            return f"((({a}) & 7u) == 0 || ({b}) < 1000u)"
        return f"(({a}) < ({b}))"

    def fresh(self):
        self.expressions = 0

    def assign(self):
        self.fresh()
        base, fields = self.random.choice(self.writable)
        kind, text = self.place(base, fields)
        value = self.expression(3)
        if kind == "uint64_t" and self.chance(50):
            self.emit(f"{text} = (uint64_t)({value}) * 0x{self.random.getrandbits(33) | 1:x}u + {text};")
        else:
            self.emit(f"{text} = ({kind})({value});")

    def local(self):
        self.fresh()
        value = self.expression(3)
        name = f"local{self.serial}"
        self.serial += 1
        self.emit(f"uint32_t {name} = {value};")
        self.emit(f"(void){name};")
        self.locals.append(name)

    def block(self, count):
        kept = list(self.locals)
        self.depth += 1
        for _ in range(count):
            self.statement()
        self.depth -= 1
        self.locals = kept

    def statement(self):
        kind = self.random.randrange(10)
        if kind < 5 or self.depth > 3:
            self.assign()
        elif kind < 7:
            self.local()
        elif kind < 9:
            self.fresh()
            self.emit(f"if ({self.condition(2)}) {{")
            self.block(self.random.randrange(1, 3))
            if self.chance(50):
                self.emit("} else {")
                self.block(self.random.randrange(1, 3))
            self.emit("}")
        else:
            self.loop()

    def loop(self):
        name = f"i{self.serial}"
        self.serial += 1
        self.emit(f"for (uint32_t {name} = 0; {name} < {self.random.choice([2, 3, 4])}u; {name}++) {{")
        self.locals.append(name)
        self.block(self.random.randrange(1, 3))
        self.locals.remove(name)
        self.emit("}")

    def push(self, output, fields):
        """Every byte of a record is written."""
        self.emit(f"STREAM_OPEN(struct {self.name}_{output}, {output}_record, {output});")
        for kind, field, length in fields:
            for i in range(max(1, length)):
                self.fresh()
                at = f"[{i}]" if length else ""
                self.emit(f"{output}_record->{field}{at} = ({kind})({self.expression(1)});")
        self.emit(f"STREAM_PUSH(struct {self.name}_{output}, {output}_record, {output});")

    def conditional_push(self, output, fields):
        self.fresh()
        self.emit(f"if ({self.condition(2)}) {{")
        self.depth += 1
        self.push(output, fields)
        self.depth -= 1
        self.emit("}")

    def text(self):
        name = self.name
        records = {stream: self.fields("f", self.random.randrange(1, 4)) for stream in ("in", "more", "out", "other")}
        state, row = self.fields("s", self.random.randrange(1, 4)), self.fields("r", self.random.randrange(1, 3))
        local = self.fields("l", 2)
        rows, second, table = self.random.choice([128, 256]), self.chance(60), self.chance(60)
        head = '/* Made by random_kernel.py. */\n#include "hls/include/hls.h"\n\n'
        for stream, fields in records.items():
            head += self.struct(f"{name}_{stream}", fields)
        head += self.struct(f"{name}_row", row) + self.struct(f"{name}_local", local)
        body = "".join(f"    {kind} {field}{f'[{length}]' if length else ''};\n" for kind, field, length in state)
        body += f"    struct {name}_row rows[{rows}];\n" if table else ""
        head += f"struct {name}_state {{\n{body}    uint8_t wants;\n    uint8_t reserved[7];\n}};\n\n"
        head += "HLS_INLINE uint32_t helper(uint32_t a, uint32_t b)\n{\n    uint32_t sum = 0;\n"
        head += "    for (uint32_t i = 0; i < 4; i++)\n        sum += (a >> 8u * i & 255u) * (i + 1u) ^ b;\n"
        head += "    return sum;\n}\n\n"
        more = f"STREAM_IN_COND(struct {name}_more, more), " if second else ""
        head += f"STEP({name}, struct {name}_state *state, STREAM_IN(struct {name}_in, in), {more}\n"
        head += f"     STREAM_OUT(struct {name}_out, out), STREAM_OUT(struct {name}_other, other))\n{{\n"
        wait = " && (!(state->wants & 1u) || STREAM_CAN_READ(more))" if second else ""
        self.emit(f"STREAM_WAIT(STREAM_CAN_READ(in){wait} && STREAM_CAN_WRITE(out) && STREAM_CAN_WRITE(other));")
        self.emit(f"STREAM_READ(struct {name}_in, record, in);")
        self.emit(f"struct {name}_local made_local;")
        self.emit(f"struct {name}_local *made = &made_local;")
        self.emit("HLS_ZERO(made, sizeof *made);")
        self.readable = [("record", records["in"]), ("state", state), ("made", local)]
        self.writable = [("state", state), ("made", local)]
        if second:
            self.emit("if (state->wants & 1u) {")
            self.emit(f"    STREAM_READ(struct {name}_more, second, more);")
            field = self.random.choice(records["more"])
            target = self.random.choice(local)
            self.emit(f"    made->{target[1]}{'[0]' if target[2] else ''} = "
                      f"({target[0]})second->{field[1]}{'[0]' if field[2] else ''};")
            self.emit("}")
        if table:
            self.fresh()
            self.emit(f"uint32_t place = ({self.expression(2)}) & {rows - 1}u;")
            self.emit(f"struct {name}_row row_local = state->rows[place];")
            self.emit(f"struct {name}_row *row = &row_local;")
            self.readable.append(("row", row))
            self.writable.append(("row", row))
        for _ in range(self.random.randrange(3, 9)):
            self.statement()
        self.conditional_push("out", records["out"])
        for _ in range(self.random.randrange(0, 3)):
            self.statement()
        self.conditional_push("other", records["other"])
        if table:
            self.emit("if (made_local.l0" + ("[0]" if local_length(local, "l0") else "") + " & 1u)")
            self.emit("    state->rows[place] = row_local;")
        self.fresh()
        self.emit(f"state->wants = (uint8_t)({self.expression(2)});")
        self.emit("STEP_END;")
        return head + "\n".join(self.lines) + "\n}\n"


def local_length(fields, name):
    return next(length for _, field, length in fields if field == name)


def write(folder, seed):
    """FOLDER/NAME/NAME.c; returns its path."""
    kernel = Kernel(seed)
    path = os.path.join(folder, kernel.name, kernel.name + ".c")
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(kernel.text())
    return path
