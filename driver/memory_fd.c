/* SPDX-License-Identifier: Apache-2.0 */
#include "driver/memory_fd.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/vfs.h>

bool memory_fd_is_kernels(int fd)
{
    static const uint32_t types[] = {
        0x01021994u /* tmpfs, memfd */, 0x958458f6u /* hugetlbfs */, 0x858458f6u /* ramfs */, 0xef53u /* ext */,
        0x58465342u /* xfs */,          0x9123683eu /* btrfs */,
    };
    struct statfs system;
    if (fstatfs(fd, &system) < 0)
        return false;
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if ((uint32_t)system.f_type == types[i])
            return true;
    return false;
}
