/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/tools/hlsc/rtl/random_design.h"

#include <stdlib.h>

#define POOL_MAX 400u

struct pool {
    struct netlist *netlist;
    net_id nets[POOL_MAX];
    uint32_t count;
    uint64_t random;
};

static uint32_t random_below(struct pool *pool, uint32_t limit)
{
    pool->random = pool->random * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)((pool->random >> 33) % limit);
}

static void pool_add(struct pool *pool, net_id net)
{
    if (pool->count < POOL_MAX)
        pool->nets[pool->count++] = net;
}

/* Any net, cut or filled up to a width. */
static net_id pick(struct pool *pool, uint32_t width)
{
    net_id net = pool->nets[random_below(pool, pool->count)];
    uint32_t of = net_width(pool->netlist, net);
    if (of < width)
        return random_below(pool, 2) ? net_zext(pool->netlist, net, width) : net_sext(pool->netlist, net, width);
    return net_slice(pool->netlist, net, random_below(pool, of - width + 1), width);
}

/* A bit that varies, if there is one to be found. */
static net_id pick_bit(struct pool *pool)
{
    net_id bit = pick(pool, 1);
    for (uint32_t i = 0; i < 50 && net_is_constant(pool->netlist, bit); i++)
        bit = pick(pool, 1);
    return bit;
}

static net_id random_net(struct pool *pool)
{
    struct netlist *netlist = pool->netlist;
    uint32_t width = random_below(pool, 3) == 0 ? 1 : random_below(pool, 40) + 1;
    net_id a = pick(pool, width), b = pick(pool, width), select = pick(pool, 1);
    switch (random_below(pool, 15)) {
    case 0:
        return net_not(netlist, a);
    case 1:
        return net_and(netlist, a, b);
    case 2:
        return net_or(netlist, a, b);
    case 3:
        return net_xor(netlist, a, b);
    case 4:
        return net_add(netlist, a, b);
    case 5:
        return net_sub(netlist, a, b);
    case 6:
        return net_eq(netlist, a, b);
    case 7:
        return net_ult(netlist, a, b);
    case 8:
        return net_slt(netlist, a, b);
    case 9:
        return net_shl(netlist, a, pick(pool, 3));
    case 10:
        return net_ashr(netlist, a, pick(pool, 4));
    case 11:
        return net_lshr(netlist, a, pick(pool, 3));
    case 12:
        return net_any(netlist, a);
    case 13:
        return net_concat(netlist, (net_id[]){a, select, b}, 3);
    default:
        return net_mux(netlist, select, a, b);
    }
}

static void grow(struct pool *pool, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        pool_add(pool, random_net(pool));
}

static void add_rams(struct design *design, struct pool *pool)
{
    static const char *const names[] = {"table", "rows"};
    uint32_t count = random_below(pool, 3);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t words = random_below(pool, 2) ? 4 : 3 + random_below(pool, 6);
        uint32_t ram = design_add_ram(design, names[i], words, 1 + random_below(pool, 70));
        uint32_t width = design_address_width(words);
        design->rams[ram].read_count = 1 + random_below(pool, 2);
        net_id early =
            net_slice(pool->netlist, net_stream_data(pool->netlist, 0, 8 * design->streams[0].bytes), 3, width);
        for (uint32_t port = 0; port < design->rams[ram].read_count; port++) {
            net_id address = random_below(pool, 3) ? early : pick(pool, width);
            /* Words beyond the end may be anything: they are not looked at. */
            net_id inside =
                net_ult(pool->netlist, net_zext(pool->netlist, address, 32), net_constant(pool->netlist, 32, words));
            net_id word = net_ram_data(pool->netlist, ram, port, design->rams[ram].width);
            design->rams[ram].reads[port].address = address;
            pool_add(pool,
                     net_mux(pool->netlist, inside, word, net_constant(pool->netlist, design->rams[ram].width, 0)));
        }
        grow(pool, 4);
        if (random_below(pool, 8) == 0)
            continue;
        design->rams[ram].write_address = random_below(pool, 2) ? early : pick(pool, width);
        design->rams[ram].write_enable = pick(pool, 1);
        design->rams[ram].write_data = NET_NONE; /* when everything is there */
    }
}

static void finish_state(struct design *design, struct pool *pool)
{
    for (uint32_t i = 0; i < design->ram_count; i++)
        if (design->rams[i].write_enable != NET_NONE)
            design->rams[i].write_data = pick(pool, design->rams[i].width);
    for (uint32_t i = 0; i < design->register_count; i++) {
        uint32_t width = design->registers[i].width;
        net_id old = net_register(pool->netlist, i, width);
        design->registers[i].next = net_mux(pool->netlist, pick(pool, 1), pick(pool, width), old);
        design->registers[i].initial = net_constant(pool->netlist, width, pool->random);
    }
}

/* What state holds has to be seen. */
static net_id show_state(const struct design *design, struct pool *pool, net_id data)
{
    uint32_t width = net_width(pool->netlist, data);
    for (uint32_t i = 0; i < design->register_count; i++) {
        net_id state = net_register(pool->netlist, i, design->registers[i].width);
        uint32_t bits = design->registers[i].width < width ? design->registers[i].width : width;
        state = net_zext(pool->netlist, net_slice(pool->netlist, state, 0, bits), width);
        data = net_xor(pool->netlist, data, state);
    }
    return data;
}

/* The second input is read when a bit of state says so; there are outputs that need no room unless they push. */
static void finish_streams(struct design *design, struct pool *pool, net_id reads_second)
{
    struct netlist *netlist = pool->netlist;
    net_id wait = net_stream_valid(netlist, 0);
    wait = net_and(netlist, wait, net_or(netlist, net_not(netlist, reads_second), net_stream_valid(netlist, 1)));
    design->streams[0].fire = net_constant(netlist, 1, 1);
    design->streams[1].fire = reads_second;
    design->streams[1].conditional = true;
    for (uint32_t i = 2; i < design->stream_count; i++) {
        net_id room = net_stream_room(netlist, i), fire = pick_bit(pool);
        bool asks = random_below(pool, 3) == 0;
        net_id noise = net_stream_data(netlist, 0, 8 * design->streams[0].bytes);
        fire = net_xor(netlist, fire, net_slice(netlist, noise, i, 1));
        design->streams[i].fire = asks ? net_and(netlist, room, fire) : fire;
        design->streams[i].data = show_state(design, pool, pick(pool, 8 * design->streams[i].bytes));
        wait = asks ? wait : net_and(netlist, wait, room);
    }
    design->wait = wait;
}

void random_design(struct design *design, uint64_t seed)
{
    static const char *const names[] = {"first", "second", "left", "right"};
    static const char *const state[] = {"phase", "sum", "held", "last"};
    struct pool pool = {.random = seed * 77777u + 1};
    design_init(design, "random_design", "random_design.c");
    pool.netlist = &design->netlist;
    for (uint32_t i = 0; i < 3 + random_below(&pool, 2); i++)
        design_add_stream(design, names[i], i < 2 ? STREAM_INPUT : STREAM_OUTPUT, 1 + random_below(&pool, 12));
    uint32_t registers = 1 + random_below(&pool, 4);
    for (uint32_t i = 0; i < registers; i++) {
        uint32_t width = i == 0 ? 2 : 1 + random_below(&pool, 36);
        design_add_register(design, state[i], width);
        pool_add(&pool, net_register(pool.netlist, i, width));
    }
    net_id reads_second = net_slice(pool.netlist, net_register(pool.netlist, 0, 2), 0, 1);
    uint32_t bits = 8 * design->streams[1].bytes;
    pool_add(&pool, net_stream_data(pool.netlist, 0, 8 * design->streams[0].bytes));
    pool_add(&pool, net_mux(pool.netlist, reads_second, net_stream_data(pool.netlist, 1, bits),
                            net_constant(pool.netlist, bits, 0)));
    grow(&pool, 5);
    add_rams(design, &pool);
    grow(&pool, 10 + random_below(&pool, 30));
    finish_state(design, &pool);
    finish_streams(design, &pool, reads_second);
}
