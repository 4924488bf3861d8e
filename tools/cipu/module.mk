# SPDX-License-Identifier: Apache-2.0
$(eval $(call program,cipu,$(addprefix tools/cipu/,arguments.c capture.c client.c commands.c controllers.c main.c objects.c output.c \
    stats.c volumes.c),,-ljansson -lsmartcols))
