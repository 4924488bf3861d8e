#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# time limit: 600
#
# test_wire.sh on the card whose kernels are modules.
CARD=rtl exec "$(dirname "$0")/test_wire.sh"
