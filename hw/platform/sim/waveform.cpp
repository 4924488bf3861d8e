// SPDX-License-Identifier: Apache-2.0
#include "hw/platform/sim/waveform.h"

#include <cerrno>
#include <new>

#include "hw/platform/sim/waveform_context.h"

struct waveform {
    VerilatedFstC file;
};

VerilatedContext &waveform_context()
{
    static VerilatedContext context;
    static const bool prepared = (context.threads(1), context.traceEverOn(true), true);
    (void)prepared;
    return context;
}

int waveform_create(struct waveform **waveform)
{
    *waveform = new (std::nothrow) struct waveform;
    return *waveform ? 0 : -ENOMEM;
}

int waveform_add(struct waveform *waveform, const struct rtl *rtl)
{
    if (!rtl->model->trace)
        return -ENOTSUP;
    rtl->model->trace(rtl->object, &waveform->file);
    return 0;
}

int waveform_open(struct waveform *waveform, const char *path)
{
    waveform->file.set_time_unit("ns");
    waveform->file.set_time_resolution("ns");
    waveform->file.open(path);
    return waveform->file.isOpen() ? 0 : -EIO;
}

void waveform_dump(struct waveform *waveform, uint64_t nanoseconds)
{
    waveform->file.dump(nanoseconds);
}

void waveform_close(struct waveform *waveform)
{
    if (waveform && waveform->file.isOpen())
        waveform->file.close();
    delete waveform;
}
