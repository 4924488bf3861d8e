/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random expressions: what the constructors fold and narrow has to keep its value. The other side is computed bit by
 * bit, by the definitions of tools/hlsc/net.h.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tools/hlsc/design.h"
#include "tools/hlsc/interpret.h"

#define BITS_MAX    160u
#define LEAVES      5u
#define EXPRESSIONS 60u
#define VALUES      12u
#define TRIALS      400u

/* A vector as its bits. */
struct vector {
    uint32_t width;
    uint8_t bit[BITS_MAX];
};

/* An expression as it was asked for. */
struct expression {
    enum net_op op;
    uint32_t operand[3];
    uint32_t low;
    struct vector constant;
    uint32_t width;
    net_id net;
};

static uint64_t random_state;

static uint32_t random_below(uint32_t limit)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(random_state >> 33) % limit;
}

static struct vector random_vector(uint32_t width)
{
    struct vector vector = {.width = width};
    uint32_t kind = random_below(5);
    for (uint32_t i = 0; i < width; i++)
        vector.bit[i] = kind == 0   ? 0
                        : kind == 1 ? 1
                        : kind == 2 ? i < 3 && random_below(2)
                        : kind == 3 ? i / 8 % 2 == 0
                                    : (uint8_t)random_below(2);
    return vector;
}

static uint64_t vector_number(const struct vector *vector, uint32_t limit)
{
    uint64_t number = 0;
    for (uint32_t i = vector->width; i-- > 0;)
        number = number > limit ? number : 2 * number + vector->bit[i];
    return number;
}

static struct vector vector_add(const struct vector *a, const struct vector *b, bool subtract)
{
    struct vector sum = {.width = a->width};
    uint32_t carry = subtract;
    for (uint32_t i = 0; i < a->width; i++) {
        uint32_t total = a->bit[i] + (subtract ? 1u - b->bit[i] : b->bit[i]) + carry;
        sum.bit[i] = total & 1u;
        carry = total >> 1;
    }
    return sum;
}

static struct vector vector_multiply(const struct vector *a, const struct vector *b)
{
    struct vector product = {.width = a->width};
    for (uint32_t i = 0; i < a->width; i++) {
        struct vector shifted = {.width = a->width};
        for (uint32_t j = 0; b->bit[i] && i + j < a->width; j++)
            shifted.bit[i + j] = a->bit[j];
        product = vector_add(&product, &shifted, false);
    }
    return product;
}

static bool vector_less(const struct vector *a, const struct vector *b)
{
    for (uint32_t i = a->width; i-- > 0;)
        if (a->bit[i] != b->bit[i])
            return a->bit[i] < b->bit[i];
    return false;
}

static struct vector vector_shift(enum net_op op, const struct vector *a, const struct vector *by)
{
    struct vector shifted = {.width = a->width};
    uint64_t amount = vector_number(by, 10000);
    uint8_t fill = op == NET_ASHR ? a->bit[a->width - 1] : 0;
    for (uint32_t i = 0; i < a->width; i++) {
        if (op == NET_SHL)
            shifted.bit[i] = i >= amount ? a->bit[i - amount] : 0;
        else
            shifted.bit[i] = i + amount < a->width ? a->bit[i + amount] : fill;
    }
    return shifted;
}

static struct vector bit_of(bool value)
{
    return (struct vector){.width = 1, .bit = {value}};
}

static struct vector compute(const struct expression *expression, const struct vector *values)
{
    const struct vector *a = &values[expression->operand[0]], *b = &values[expression->operand[1]];
    struct vector result = {.width = expression->width};
    switch (expression->op) {
    case NET_CONSTANT:
        return expression->constant;
    case NET_CONCAT:
        memcpy(result.bit, a->bit, a->width);
        memcpy(result.bit + a->width, b->bit, b->width);
        return result;
    case NET_SLICE:
        memcpy(result.bit, a->bit + expression->low, expression->width);
        return result;
    case NET_NOT:
    case NET_AND:
    case NET_OR:
    case NET_XOR:
        for (uint32_t i = 0; i < expression->width; i++)
            result.bit[i] = expression->op == NET_NOT   ? !a->bit[i]
                            : expression->op == NET_AND ? a->bit[i] & b->bit[i]
                            : expression->op == NET_OR  ? a->bit[i] | b->bit[i]
                                                        : a->bit[i] ^ b->bit[i];
        return result;
    case NET_ADD:
    case NET_SUB:
        return vector_add(a, b, expression->op == NET_SUB);
    case NET_MUL:
        return vector_multiply(a, b);
    case NET_EQ:
        return bit_of(memcmp(a->bit, b->bit, a->width) == 0);
    case NET_ULT:
        return bit_of(vector_less(a, b));
    case NET_SLT: {
        uint8_t negative = a->bit[a->width - 1], other = b->bit[b->width - 1];
        return bit_of(negative != other ? negative : vector_less(a, b));
    }
    case NET_SHL:
    case NET_LSHR:
    case NET_ASHR:
        return vector_shift(expression->op, a, b);
    case NET_MUX:
        return a->bit[0] ? *b : values[expression->operand[2]];
    default:
        return bit_of(memchr(a->bit, 1, a->width) != NULL);
    }
}

/* An earlier expression of that width, or one made from another by slicing or filling up. */
static uint32_t operand_of_width(struct netlist *netlist, struct expression *all, uint32_t *count, uint32_t width)
{
    uint32_t pick = random_below(*count);
    for (uint32_t i = 0; i < *count; i++) {
        uint32_t candidate = (pick + i) % *count;
        if (all[candidate].width == width)
            return candidate;
    }
    struct expression *made = &all[*count];
    if (all[pick].width > width) {
        *made = (struct expression){.op = NET_SLICE, .operand = {pick}, .width = width};
        made->low = random_below(all[pick].width - width + 1);
        made->net = net_slice(netlist, all[pick].net, made->low, width);
        return (*count)++;
    }
    struct expression *zeros = made++;
    *zeros = (struct expression){.op = NET_CONSTANT, .width = width - all[pick].width};
    zeros->constant = (struct vector){.width = zeros->width};
    zeros->net = net_constant(netlist, zeros->width, 0);
    *made = (struct expression){.op = NET_CONCAT, .operand = {pick, *count}, .width = width};
    made->net = net_zext(netlist, all[pick].net, width);
    *count += 2;
    return *count - 1;
}

static net_id constant_net(struct netlist *netlist, const struct vector *vector)
{
    uint64_t words[(BITS_MAX + 63) / 64] = {0};
    for (uint32_t i = 0; i < vector->width; i++)
        words[i / 64] |= (uint64_t)vector->bit[i] << (i % 64);
    return net_constant_wide(netlist, vector->width, words);
}

static void random_expression(struct netlist *netlist, struct expression *all, uint32_t *count)
{
    struct expression made = {.op = (enum net_op)(NET_CONCAT + random_below(NET_OP_COUNT - NET_CONCAT))};
    if (random_below(6) == 0)
        made.op = NET_CONSTANT;
    uint32_t a = random_below(*count), width = all[a].width, b, c = a;
    if (made.op == NET_MUX) {
        b = operand_of_width(netlist, all, count, random_below(8) + 1);
        width = all[b].width;
        a = operand_of_width(netlist, all, count, 1);
        c = operand_of_width(netlist, all, count, width);
    } else if (made.op == NET_CONCAT || made.op == NET_SHL || made.op == NET_LSHR || made.op == NET_ASHR) {
        b = random_below(*count);
    } else {
        b = operand_of_width(netlist, all, count, width);
    }
    net_id x = all[a].net, y = all[b].net, z = all[c].net;
    made.operand[0] = a;
    made.operand[1] = b;
    made.operand[2] = c;
    made.width = width;
    switch (made.op) {
    case NET_CONSTANT:
        made.width = random_below(70) + 1;
        made.constant = random_vector(made.width);
        made.net = constant_net(netlist, &made.constant);
        break;
    case NET_CONCAT:
        made.width = width + all[b].width;
        if (made.width > BITS_MAX)
            return;
        made.net = net_concat(netlist, (net_id[]){x, y}, 2);
        break;
    case NET_SLICE:
        made.width = random_below(width) + 1;
        made.low = random_below(width - made.width + 1);
        made.net = net_slice(netlist, x, made.low, made.width);
        break;
    case NET_EQ:
    case NET_ULT:
    case NET_SLT:
        made.width = 1;
        made.net = made.op == NET_EQ    ? net_eq(netlist, x, y)
                   : made.op == NET_ULT ? net_ult(netlist, x, y)
                                        : net_slt(netlist, x, y);
        break;
    case NET_ANY:
        made.width = 1;
        made.net = net_any(netlist, x);
        break;
    case NET_MUX:
        made.net = net_mux(netlist, x, y, z);
        break;
    case NET_NOT:
        made.net = net_not(netlist, x);
        break;
    default: {
        net_id (*const build[])(struct netlist *, net_id, net_id) = {
            [NET_AND] = net_and, [NET_OR] = net_or,   [NET_XOR] = net_xor,   [NET_ADD] = net_add,  [NET_SUB] = net_sub,
            [NET_MUL] = net_mul, [NET_SHL] = net_shl, [NET_LSHR] = net_lshr, [NET_ASHR] = net_ashr};
        made.net = build[made.op](netlist, x, y);
        break;
    }
    }
    all[(*count)++] = made;
}

static void check_values(struct interpreter *interpreter, const struct expression *all, uint32_t count)
{
    const struct netlist *netlist = &interpreter->design->netlist;
    struct vector *values = calloc(count, sizeof *values);
    assert_non_null(values);
    for (uint32_t i = 0; i < LEAVES; i++) {
        values[i] = random_vector(all[i].width);
        memset(interpreter->registers[i], 0, sizeof(uint64_t) * ((all[i].width + 63) / 64));
        for (uint32_t bit = 0; bit < all[i].width; bit++)
            interpreter->registers[i][bit / 64] |= (uint64_t)values[i].bit[bit] << (bit % 64);
    }
    assert_true(interpreter_activate(interpreter, NULL));
    for (uint32_t i = 0; i < count; i++) {
        if (i >= LEAVES)
            values[i] = compute(&all[i], values);
        assert_int_equal(net_width(netlist, all[i].net), all[i].width);
        const uint64_t *value = interpreter->registers[LEAVES + i];
        const struct net_node *node = net_get(netlist, all[i].net);
        for (uint32_t bit = 0; bit < all[i].width; bit++) {
            bool got = value[bit / 64] >> (bit % 64) & 1u;
            if (got != values[i].bit[bit])
                fail_msg("expression %u (%s, %u bits): bit %u is %d", i, net_op_name(all[i].op), all[i].width, bit,
                         got);
            if (bit >= node->active || (all[i].width <= 64 && node->zeros >> bit & 1u))
                assert_false(got);
            if (all[i].width <= 64 && node->ones >> bit & 1u)
                assert_true(got);
        }
    }
    free(values);
}

static void test_random_expressions(void **unused)
{
    (void)unused;
    struct expression *all = calloc(8 * EXPRESSIONS, sizeof *all);
    assert_non_null(all);
    for (uint32_t trial = 0; trial < TRIALS; trial++) {
        struct design design;
        struct interpreter interpreter;
        uint32_t count = 0;
        random_state = trial;
        design_init(&design, "random", "random.c");
        for (; count < LEAVES; count++) {
            uint32_t width = count == 0 ? 1 : random_below(count == 1 ? 130 : 40) + 1;
            design_add_register(&design, "leaf", width);
            net_id leaf = net_register(&design.netlist, count, width);
            all[count] = (struct expression){.op = NET_REGISTER, .width = width, .net = leaf};
            design.registers[count].next = leaf;
            design.registers[count].initial = net_constant(&design.netlist, width, 0);
        }
        while (count < EXPRESSIONS)
            random_expression(&design.netlist, all, &count);
        design.wait = net_constant(&design.netlist, 1, 1);
        for (uint32_t i = 0; i < count; i++) { /* each value is taken into a register to be looked at */
            design_add_register(&design, "result", all[i].width);
            design.registers[LEAVES + i].next = all[i].net;
            design.registers[LEAVES + i].initial = net_constant(&design.netlist, all[i].width, 0);
        }
        interpreter_init(&interpreter, &design);
        for (uint32_t i = 0; i < VALUES; i++)
            check_values(&interpreter, all, count);
        interpreter_free(&interpreter);
        design_free(&design);
    }
    free(all);
}

/* What folding is for: each pair has to be one node. */
static void test_folds(void **unused)
{
    (void)unused;
    struct netlist netlist;
    net_init(&netlist);
    net_id x = net_register(&netlist, 0, 32), y = net_register(&netlist, 1, 32), s = net_register(&netlist, 2, 1);
    net_id t = net_register(&netlist, 3, 1), three = net_constant(&netlist, 32, 3);

    assert_int_equal(net_add(&netlist, x, y), net_add(&netlist, y, x));
    assert_int_equal(net_sub(&netlist, net_add(&netlist, x, three), three), x);
    assert_int_equal(net_lshr(&netlist, x, three), net_zext(&netlist, net_slice(&netlist, x, 3, 29), 32));
    assert_int_equal(net_and(&netlist, x, net_constant(&netlist, 32, 0xff)),
                     net_zext(&netlist, net_slice(&netlist, x, 0, 8), 32));
    assert_int_equal(net_or(&netlist, net_and(&netlist, s, t), net_and(&netlist, s, net_not(&netlist, t))), s);
    assert_int_equal(net_mux(&netlist, s, net_mux(&netlist, s, x, y), y), net_mux(&netlist, s, x, y));

    /* A sum of bytes is nine bits wide, whatever C makes of it. */
    net_id byte = net_zext(&netlist, net_slice(&netlist, x, 0, 8), 32);
    net_id other = net_zext(&netlist, net_slice(&netlist, y, 0, 8), 32);
    assert_int_equal(net_get(&netlist, net_add(&netlist, byte, other))->active, 9);

    /* Bytes chosen one by one are chosen as a whole. */
    net_id bytes[4];
    for (uint32_t i = 0; i < 4; i++)
        bytes[i] = net_mux(&netlist, s, net_slice(&netlist, x, 8 * i, 8), net_slice(&netlist, y, 8 * i, 8));
    assert_int_equal(net_concat(&netlist, bytes, 4), net_mux(&netlist, s, x, y));

    /* Fields put together by shifts are wires. */
    net_id high = net_shl(&netlist, other, net_constant(&netlist, 32, 8));
    net_id parts[3] = {net_slice(&netlist, x, 0, 8), net_slice(&netlist, y, 0, 8), net_constant(&netlist, 16, 0)};
    assert_int_equal(net_or(&netlist, byte, high), net_concat(&netlist, parts, 3));
    net_free(&netlist);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_folds),
        cmocka_unit_test(test_random_expressions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
