/* SPDX-License-Identifier: Apache-2.0 */
/* For the parts of the reload: what they did and what they could not. */
#ifndef CIPU_RELOAD_H
#define CIPU_RELOAD_H

#include "runtime/daemon/daemon.h"

struct changes {
    unsigned applied, refused;
};

/* Counts a change, and logs why it was refused if it was. */
void reload_count(struct changes *changes, int result, const char *what, const char *name,
                  const struct cipu_error *error);

/* reload_volumes.c: what leaves goes before controllers come, what comes before them too. */
void reload_remove_volumes(struct daemon *daemon, const struct config *config, struct changes *changes);
void reload_add_disks(struct daemon *daemon, const struct config *config, struct changes *changes);
void reload_add_volumes(struct daemon *daemon, const struct config *config, struct changes *changes);

/* reload_subsystems.c */
void reload_remove_subsystems(struct daemon *daemon, const struct config *config, struct changes *changes);
void reload_add_subsystems(struct daemon *daemon, const struct config *config, struct changes *changes);

/* reload_controllers.c */
void reload_remove_controllers(struct daemon *daemon, const struct config *config, struct changes *changes);
void reload_add_controllers(struct daemon *daemon, const struct config *config, struct changes *changes);

#endif
