/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes registers as narrow as what they ever hold (a bool that C keeps in a byte is one bit), and sums and products as
 * narrow as what is used of them.
 */
#ifndef CIPU_HLSC_NARROW_H
#define CIPU_HLSC_NARROW_H

#include "tools/hlsc/design.h"

void narrow_design(struct design *design);

#endif
