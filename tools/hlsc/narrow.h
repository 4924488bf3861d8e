/* SPDX-License-Identifier: Apache-2.0 */
/* Makes registers as narrow as what they ever hold: a bool that C keeps in a byte is one bit. */
#ifndef CIPU_HLSC_NARROW_H
#define CIPU_HLSC_NARROW_H

#include "tools/hlsc/design.h"

void narrow_state(struct design *design);

#endif
