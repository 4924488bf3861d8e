/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The MACs of an Ethernet port, one for each direction: frames of a port's kind (driver/port.h) cut to words of 64
 * bytes, one a cycle, and words to frames. They are the wire: what is checked, dropped and counted, is so by the card;
 * what they lose themselves they tell it.
 */
#ifndef CIPU_RTL_MAC_H
#define CIPU_RTL_MAC_H

#include "driver/native.h"
#include "driver/rtl/device.h"
#include "hw/platform/sim/model.h"

/* One direction's pins: the `index`-th of each. */
struct rtl_mac_pins {
    unsigned index;
    struct rtl_pin valid, data, bytes, last, pause, lost;
    struct rtl_pin error; /* receive */
    struct rtl_pin ready; /* transmit */
    uint32_t told;        /* of what the port itself lost */
    bool driven;
};

struct rtl_mac {
    struct native_card *card;
    const struct rtl_observer *observer;
    const bool *look; /* links and peers are to be looked at */
    struct port *port;
    unsigned number; /* of the port */

    struct rtl_mac_pins receive;
    const uint8_t *frame; /* NULL = none; the port keeps it until it is all sent */
    uint32_t length, sent;
    bool gone; /* the frame's memory went away with its port: the rest is zeros and an error */

    struct rtl_mac_pins transmit;
    uint8_t *buffer; /* NULL inside a frame = it is lost */
    uint32_t filled;
    bool inside, spoilt;
    unsigned unflushed; /* frames */
};

/* The pins PREFIX_valid, ..., the `index`-th of each. */
void rtl_mac_receive_open(struct rtl_mac *mac, const struct rtl *rtl, const char *prefix, unsigned index);
void rtl_mac_transmit_open(struct rtl_mac *mac, const struct rtl *rtl, const char *prefix, unsigned index);
struct rtl_device rtl_mac_receiver(struct rtl_mac *mac);
struct rtl_device rtl_mac_transmitter(struct rtl_mac *mac);

#endif
