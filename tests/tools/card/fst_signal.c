/* SPDX-License-Identifier: Apache-2.0 */
/* fst_signal FILE NAME...: every change of these signals in an FST file, as lines of time, name and value in bits; for
 * tests, with GTKWave's own reader. */
#include <gtkwave/fstapi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SIGNALS_MAX 16

struct signals {
    char **names;
    int count;
    fstHandle handles[SIGNALS_MAX];
};

static void change(void *context, uint64_t time, fstHandle handle, const unsigned char *value)
{
    const struct signals *signals = context;
    for (int i = 0; i < signals->count; i++)
        if (signals->handles[i] == handle)
            printf("%llu %s %s\n", (unsigned long long)time, signals->names[i], (const char *)value);
}

static void find_signals(void *reader, struct signals *signals)
{
    struct fstHier *entry;
    char name[512];
    while ((entry = fstReaderIterateHier(reader))) {
        if (entry->htyp == FST_HT_SCOPE) {
            fstReaderPushScope(reader, entry->u.scope.name, NULL);
        } else if (entry->htyp == FST_HT_UPSCOPE) {
            fstReaderPopScope(reader);
        } else if (entry->htyp == FST_HT_VAR) {
            const char *scope = fstReaderGetCurrentFlatScope(reader);
            snprintf(name, sizeof name, "%s.%s", scope ? scope : "", entry->u.var.name);
            name[strcspn(name, " ")] = 0; /* a vector's range follows */
            for (int i = 0; i < signals->count; i++)
                if (!signals->handles[i] && strcmp(name, signals->names[i]) == 0)
                    signals->handles[i] = entry->u.var.handle;
        }
    }
}

int main(int argc, char **argv)
{
    struct signals signals = {argv + 2, argc - 2, {0}};
    void *reader = argc > 2 && signals.count <= SIGNALS_MAX ? fstReaderOpen(argv[1]) : NULL;
    if (!reader) {
        fprintf(stderr, "fst_signal: cannot read %s\n", argc > 1 ? argv[1] : "nothing");
        return 1;
    }
    find_signals(reader, &signals);
    for (int i = 0; i < signals.count; i++) {
        if (!signals.handles[i]) {
            fprintf(stderr, "fst_signal: no signal %s\n", signals.names[i]);
            return 1;
        }
        fstReaderSetFacProcessMask(reader, signals.handles[i]);
    }
    fstReaderIterBlocks(reader, change, &signals, NULL);
    fstReaderClose(reader);
    return 0;
}
