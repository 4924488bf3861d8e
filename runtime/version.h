/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CIPU_VERSION_H
#define CIPU_VERSION_H

#define CIPU_VERSION    "0.1.0"
#define CIPU_RPC_SOCKET "/run/cipu/cipud.sock"

#endif
