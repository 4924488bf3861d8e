/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs a Verilated module beside its reference: random records in one run, those of its surroundings in the next,
 * random valid and back-pressure whose probabilities change, resets in the middle. Each activation that begins in the
 * module is one call of the reference, which is told which inputs had a record and which outputs had room just then; so
 * kernels whose output depends on timing are compared bit by bit too. At the end of each run the module has to come to
 * rest with nothing left that the reference would do.
 *
 * Usage: bench KERNEL.C|NUMBER SEED RUNS [all]
 * all: each output has to have had a record that was compared.
 */
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <vector>

#include "bench.h"
#include "reference.h"

#define QUIET_CYCLES_MAX 200000u
#define FLOWING_CYCLES   100u

static uint64_t random_state;

static uint32_t random_below(uint32_t limit)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)((random_state >> 33) % limit);
}

typedef std::vector<uint8_t> record_bytes;

struct stream {
    bench_stream port;
    bool fired;   /* in this activation */
    bool offered; /* input: a record is offered until it is taken */
    record_bytes head;
    std::deque<record_bytes> expected; /* output */
    uint32_t percent;                  /* how often valid or ready rises */
    uint32_t flowing;                  /* output: cycles for which it has been ready */
    uint64_t compared;                 /* output: records */
};

class bench
{
  public:
    explicit bench(const bench_model &opened) : model(opened)
    {
        for (const bench_stream &port : model.streams)
            streams.push_back({port, false, false, record_bytes(port.bytes), {}, 50, 0, 0});
    }

    void run(uint32_t cycles, bool cut, bool directed)
    {
        reset(directed);
        for (uint32_t i = 0; i < cycles; i++) {
            if (random_below(200) == 0)
                change();
            cycle(false);
        }
        if (!cut)
            settle();
    }

    /* Every output has had records that were compared. */
    bool complete() const
    {
        bool all = true;
        for (const stream &stream : streams) {
            if (stream.port.input || stream.compared > 0)
                continue;
            printf("%s: no record was ever compared\n", stream.port.name);
            all = false;
        }
        return all;
    }

    uint64_t activations = 0, cycles = 0, pushed = 0;

  private:
    void fail(const char *what, const stream *of)
    {
        printf("cycle %llu, activation %llu: %s%s%s\n", (unsigned long long)cycles, (unsigned long long)activations,
               of != nullptr ? of->port.name : "", of != nullptr ? ": " : "", what);
        exit(1);
    }

    void change()
    {
        static const uint32_t percents[] = {2, 20, 50, 90, 100};
        for (stream &stream : streams)
            stream.percent = percents[random_below(5)];
    }

    void reset(bool directed)
    {
        *model.rst = 1;
        model.eval(); /* the first evaluation sees no edge */
        for (stream &stream : streams) {
            stream.offered = false;
            stream.expected.clear();
            if (stream.port.input)
                *stream.port.valid = 0;
        }
        clock();
        *model.rst = 0;
        if (random_below(2) == 0) { /* again, while RAMs are being cleared */
            for (uint32_t i = random_below(20); i > 0; i--)
                clock();
            *model.rst = 1;
            clock();
            *model.rst = 0;
        }
        for (uint32_t i = 0; !*model.idle && i < QUIET_CYCLES_MAX; i++)
            clock(); /* RAMs are cleared */
        reference_reset(directed);
        change();
    }

    void clock()
    {
        *model.clk = 1;
        model.eval();
        *model.clk = 0;
        model.eval();
        cycles++;
    }

    /* Everything may leave; what is offered stays, nothing new comes. */
    void settle()
    {
        uint32_t quiet = 0;
        for (uint32_t i = 0; quiet < 4; i++) {
            if (i == QUIET_CYCLES_MAX)
                fail("the module does not come to rest", nullptr);
            cycle(true);
            quiet = *model.idle ? quiet + 1 : 0;
        }
        for (stream &stream : streams)
            if (!stream.expected.empty())
                fail("a record is missing", &stream);
        std::vector<reference_stream> given = state_of();
        for (size_t i = 0; i < streams.size(); i++)
            if (!streams[i].port.input)
                given[i].ready = true;
        if (reference_activate(given.data()))
            fail("the module does not do what it could", nullptr);
    }

    void cycle(bool leave)
    {
        for (size_t i = 0; i < streams.size(); i++) {
            stream &stream = streams[i];
            bool rises = random_below(100) < stream.percent;
            if (!stream.port.input) {
                *stream.port.ready = leave || rises;
            } else if (!stream.offered && rises && !leave) {
                stream.offered = reference_record((unsigned)i, stream.head.data());
                memcpy(stream.port.data, stream.head.data(), stream.head.size());
            }
            if (stream.port.input)
                *stream.port.valid = stream.offered;
        }
        model.eval();
        if (*model.active != 0)
            activate();
        check_ports();
        bool idle = *model.idle;
        if (idle)
            check_idle();
        clock();
        if (idle && !*model.idle)
            fail("it was idle, and an edge of the clock changed something", nullptr);
    }

    void check_idle()
    {
        if (*model.active)
            fail("it is idle, and an activation begins", nullptr);
        for (stream &stream : streams)
            if (!stream.port.input && *stream.port.valid)
                fail("it is idle, and a record waits to leave", &stream);
    }

    std::vector<reference_stream> state_of()
    {
        std::vector<reference_stream> given;
        for (stream &stream : streams)
            given.push_back({stream.head.data(), stream.port.input ? stream.offered : *stream.port.room != 0, false});
        return given;
    }

    void activate()
    {
        std::vector<reference_stream> given = state_of();
        activations++;
        if (!reference_activate(given.data()))
            fail("an activation that cannot be", nullptr);
        for (size_t i = 0; i < streams.size(); i++) {
            stream &stream = streams[i];
            stream.fired = given[i].fired;
            if (given[i].fired && !stream.port.input)
                stream.expected.push_back(stream.head);
        }
    }

    void check_ports()
    {
        bool active = *model.active != 0;
        for (stream &stream : streams) {
            if (stream.port.input) {
                if (*stream.port.ready != (active && stream.fired))
                    fail(*stream.port.ready ? "a record is taken that is not read"
                                            : "a record that is read is not taken",
                         &stream);
                if (*stream.port.ready)
                    stream.offered = false;
            } else {
                check_flow(stream);
            }
        }
    }

    /* Where nobody holds records back, room never ends. */
    void check_flow(stream &stream)
    {
        stream.flowing = *stream.port.ready ? stream.flowing + 1 : 0;
        if (stream.flowing > FLOWING_CYCLES && !*stream.port.room)
            fail("its FIFO is too small", &stream);
        if (*stream.port.valid && *stream.port.ready)
            check_record(stream);
    }

    void check_record(stream &stream)
    {
        record_bytes got(stream.port.bytes);
        memcpy(got.data(), stream.port.data, got.size());
        if (stream.expected.empty())
            fail("a record that was not pushed", &stream);
        for (size_t i = 0; i < got.size(); i++) {
            if (got[i] != stream.expected.front()[i]) {
                printf("byte %zu is %02x, expected %02x\n", i, got[i], stream.expected.front()[i]);
                fail("a wrong record", &stream);
            }
        }
        stream.expected.pop_front();
        stream.compared++;
        pushed++;
    }

    bench_model model;
    std::vector<stream> streams;
};

/* The module NAME of what is .../NAME.c; the only one, if there is but one. */
static const bench_entry *find(const char *what)
{
    const char *slash = strrchr(what, '/'), *base = slash != nullptr ? slash + 1 : what;
    for (const bench_entry &entry : bench_models) {
        size_t length = strlen(entry.name);
        if (bench_models.size() == 1 || (strncmp(base, entry.name, length) == 0 && strcmp(base + length, ".c") == 0))
            return &entry;
    }
    printf("no module of %s\n", what);
    return nullptr;
}

int main(int argc, char **argv)
{
    if (argc != 4 && argc != 5)
        return 2;
    random_state = strtoull(argv[2], nullptr, 0);
    if (!reference_open(argv[1], random_state))
        return 1;
    uint32_t runs = (uint32_t)strtoul(argv[3], nullptr, 0);
    const bench_entry *entry = find(argv[1]);
    if (entry == nullptr)
        return 2;
    bench bench(entry->open());
    for (uint32_t i = 0; i < runs; i++)
        bench.run(1000 + random_below(4000), i % 4 == 3, i % 2 == 1);
    printf("%llu activations in %llu cycles, %llu records out\n", (unsigned long long)bench.activations,
           (unsigned long long)bench.cycles, (unsigned long long)bench.pushed);
    return bench.activations > 0 && (argc == 4 || bench.complete()) ? 0 : 1;
}
