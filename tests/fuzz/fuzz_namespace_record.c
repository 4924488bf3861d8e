/* SPDX-License-Identifier: Apache-2.0 */
/* What is kept of guests' namespaces: any bytes; what is accepted survives being written and read again. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/daemon/namespace_record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct namespace_records records, again;
    static char text[NAMESPACE_RECORDS_BYTES], same[NAMESPACE_RECORDS_BYTES];
    if (namespace_records_read(&records, (const char *)data, size) < 0)
        return 0;
    for (unsigned i = 0; i < NVME_NAMESPACES_MAX; i++)
        assert(records.namespaces[i].wish.nsid == 0 || records.namespaces[i].wish.nsid == i + 1);
    long bytes = namespace_records_write(&records, text);
    assert(bytes > 0);
    assert(namespace_records_read(&again, text, (size_t)bytes) == 0);
    assert(namespace_records_write(&again, same) == bytes && memcmp(text, same, (size_t)bytes) == 0);
    return 0;
}
