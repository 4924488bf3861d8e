/* SPDX-License-Identifier: Apache-2.0 */
#include "driver/rtl/mac.h"

#include <stdio.h>
#include <string.h>

#define FRAMES_PER_FLUSH 128u /* a flush may be a system call */

static bool get(const struct rtl_pin *pin, unsigned index)
{
    return *(const uint8_t *)pin->value >> index & 1;
}

static void put(const struct rtl_pin *pin, unsigned index, bool value)
{
    rtl_put(pin, index, 1, value);
}

static struct rtl_pin find(const struct rtl *rtl, const char *prefix, const char *name)
{
    char text[32];
    snprintf(text, sizeof text, "%.16s_%.12s", prefix, name);
    return rtl_pin(rtl, text, 0);
}

static void find_pins(struct rtl_mac_pins *pins, const struct rtl *rtl, const char *prefix, unsigned index)
{
    pins->index = index;
    pins->valid = find(rtl, prefix, "valid");
    pins->data = find(rtl, prefix, "data");
    pins->bytes = find(rtl, prefix, "bytes");
    pins->last = find(rtl, prefix, "last");
    pins->pause = find(rtl, prefix, "pause");
    pins->lost = find(rtl, prefix, "lost");
}

void rtl_mac_receive_open(struct rtl_mac *mac, const struct rtl *rtl, const char *prefix, unsigned index)
{
    find_pins(&mac->receive, rtl, prefix, index);
    mac->receive.error = find(rtl, prefix, "error");
}

void rtl_mac_transmit_open(struct rtl_mac *mac, const struct rtl *rtl, const char *prefix, unsigned index)
{
    find_pins(&mac->transmit, rtl, prefix, index);
    mac->transmit.ready = find(rtl, prefix, "ready");
    put(&mac->transmit.ready, index, true);
}

static uint8_t *word(const struct rtl_mac_pins *pins)
{
    return (uint8_t *)pins->data.value + (size_t)pins->index * BEAT_BYTES;
}

/* One frame a cycle of those that the port itself counts as lost. Returns whether the module has to see the pin. */
static bool tell_lost(struct rtl_mac_pins *pins, const _Atomic uint32_t *count)
{
    bool before = get(&pins->lost, pins->index);
    bool some = atomic_load_explicit(count, memory_order_relaxed) != pins->told;
    pins->told += some;
    put(&pins->lost, pins->index, some);
    return some || before;
}

/* ---- receive ---- */

static bool next_frame(struct rtl_mac *mac)
{
    struct port *port = mac->port;
    mac->sent = 0;
    mac->gone = false;
    while (!mac->frame && port->ops->receive(port, &mac->frame, &mac->length)) {
        struct native_capture *capture = atomic_load_explicit(&mac->card->capture, memory_order_acquire);
        if (!mac->length) {
            port->ops->release(port);
            mac->frame = NULL;
        } else if (capture) {
            native_capture_frame(capture, mac->number, mac->frame, mac->length);
        }
    }
    return mac->frame != NULL;
}

static void release(struct rtl_mac *mac)
{
    if (!mac->gone)
        mac->port->ops->release(mac->port);
    mac->frame = NULL;
}

/* Links and peers: what the port gave may be gone afterwards. */
static void look_at_port(struct rtl_mac *mac)
{
    struct port *port = mac->port;
    if (!port->ops->wake || !(*mac->look || port->attention))
        return;
    port->attention = false;
    if (!port->ops->wake(port))
        return;
    mac->gone = mac->frame != NULL;
    mac->buffer = NULL;
}

static bool receive_poll(void *context)
{
    struct rtl_mac *mac = context;
    look_at_port(mac);
    bool lost = atomic_load_explicit(&mac->port->received_dropped, memory_order_relaxed) != mac->receive.told;
    return lost || mac->frame || next_frame(mac);
}

static void put_word(struct rtl_mac *mac)
{
    struct rtl_mac_pins *pins = &mac->receive;
    uint32_t left = mac->length - mac->sent, bytes = left < BEAT_BYTES ? left : BEAT_BYTES;
    memset(word(pins), 0, BEAT_BYTES);
    if (!mac->gone)
        memcpy(word(pins), mac->frame + mac->sent, bytes);
    rtl_put(&pins->bytes, pins->index * 7, 7, bytes);
    put(&pins->last, pins->index, bytes == left);
    put(&pins->error, pins->index, bytes == left && mac->gone);
}

/* The other end obeys pause, between frames. */
static bool receive_drive(void *context)
{
    struct rtl_mac *mac = context;
    struct rtl_mac_pins *pins = &mac->receive;
    bool before = pins->driven;
    pins->driven = mac->frame && (mac->sent || !get(&pins->pause, pins->index));
    if (pins->driven)
        put_word(mac);
    put(&pins->valid, pins->index, pins->driven);
    return tell_lost(pins, &mac->port->received_dropped) || pins->driven || before;
}

static bool receive_sample(void *context)
{
    struct rtl_mac *mac = context;
    if (!mac->receive.driven)
        return mac->frame != NULL;
    mac->sent += BEAT_BYTES;
    if (mac->sent >= mac->length) {
        release(mac);
        next_frame(mac);
    }
    return true;
}

static void receive_reset(void *context)
{
    struct rtl_mac *mac = context;
    mac->receive.told = 0;
}

struct rtl_device rtl_mac_receiver(struct rtl_mac *mac)
{
    return (struct rtl_device){
        .context = mac, .poll = receive_poll, .drive = receive_drive, .sample = receive_sample, .reset = receive_reset};
}

/* ---- transmit ---- */

static bool transmit_poll(void *context)
{
    struct rtl_mac *mac = context;
    return mac->unflushed || atomic_load_explicit(&mac->port->send_dropped, memory_order_relaxed) != mac->transmit.told;
}

static bool transmit_drive(void *context)
{
    struct rtl_mac *mac = context;
    return tell_lost(&mac->transmit, &mac->port->send_dropped);
}

static void flush(struct rtl_mac *mac)
{
    mac->port->ops->flush(mac->port);
    mac->unflushed = 0;
}

static void begin_frame(struct rtl_mac *mac)
{
    const struct port_ops *ops = mac->port->ops;
    mac->buffer = ops->reserve(mac->port);
    if (!mac->buffer && mac->unflushed) {
        flush(mac);
        mac->buffer = ops->reserve(mac->port);
    }
    mac->filled = 0;
    mac->inside = true;
    mac->spoilt = false;
}

static void finish_frame(struct rtl_mac *mac)
{
    mac->inside = false;
    if (!mac->buffer || mac->spoilt) {
        port_count(&mac->port->send_dropped, 1);
        return;
    }
    struct native_capture *capture = atomic_load_explicit(&mac->card->capture, memory_order_acquire);
    if (capture)
        native_capture_frame(capture, mac->number, mac->buffer, mac->filled);
    mac->port->ops->commit(mac->port, mac->filled);
    mac->unflushed++;
}

static void take_word(struct rtl_mac *mac)
{
    struct rtl_mac_pins *pins = &mac->transmit;
    uint32_t bytes = (uint32_t)rtl_get(&pins->bytes, pins->index * 7, 7);
    bool last = get(&pins->last, pins->index);
    rtl_saw(mac->observer, last ? "last word" : "word", mac->number, word(pins), bytes);
    if (!mac->inside)
        begin_frame(mac);
    mac->spoilt |= mac->filled + bytes > mac->port->frame_max;
    if (mac->buffer && !mac->spoilt)
        memcpy(mac->buffer + mac->filled, word(pins), bytes);
    mac->filled += bytes;
    if (last)
        finish_frame(mac);
}

/* Frames wait for company, but not for longer than until a cycle without any. */
static bool transmit_sample(void *context)
{
    struct rtl_mac *mac = context;
    bool moves = get(&mac->transmit.valid, mac->transmit.index);
    if (moves)
        take_word(mac);
    if (mac->unflushed >= FRAMES_PER_FLUSH || (mac->unflushed && !moves))
        flush(mac);
    return mac->unflushed || get(&mac->transmit.lost, mac->transmit.index);
}

/* A frame that is cut is no frame. */
static void transmit_reset(void *context)
{
    struct rtl_mac *mac = context;
    mac->inside = false;
    mac->transmit.told = 0;
}

struct rtl_device rtl_mac_transmitter(struct rtl_mac *mac)
{
    return (struct rtl_device){.context = mac,
                               .poll = transmit_poll,
                               .drive = transmit_drive,
                               .sample = transmit_sample,
                               .reset = transmit_reset};
}
