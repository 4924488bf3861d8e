# SPDX-License-Identifier: Apache-2.0
$(eval $(call library,cipu-packet,hls/parse/packet_key.c))
