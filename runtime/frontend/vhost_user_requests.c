/* SPDX-License-Identifier: Apache-2.0 */
/* Features, status and configuration. */
#include <errno.h>
#include <string.h>

#include "runtime/device/virtio_pci.h"
#include "runtime/frontend/vhost_user_session.h"

static int reply_value(struct vhost_user_session *session, uint64_t value)
{
    vhost_user_reply(session, &value, sizeof value, -1);
    return VHOST_USER_REPLIED;
}

int vhost_user_get_features(struct vhost_user_session *session)
{
    return reply_value(session, session->info.features | VHOST_USER_F_PROTOCOL_FEATURES);
}

/* Clients send it more than once; while rings run it cannot change anything. */
int vhost_user_set_features(struct vhost_user_session *session)
{
    uint64_t features = session->message.payload.value;
    if (features & ~(session->info.features | VHOST_USER_F_PROTOCOL_FEATURES))
        return -EINVAL;
    if (session->has_features && features == session->features)
        return 0;
    if (vhost_user_rings_run(session))
        return -EBUSY;
    int result = session->ops->set_features(session->device, features & ~VHOST_USER_F_PROTOCOL_FEATURES);
    session->has_features = !result;
    session->features = result ? 0 : features;
    return result ? result : vhost_user_rings_update(session);
}

int vhost_user_set_owner(struct vhost_user_session *session)
{
    (void)session; /* the connection is the owner */
    return 0;
}

int vhost_user_reset_device(struct vhost_user_session *session)
{
    vhost_user_rings_reset(session);
    session->ops->reset(session->device);
    session->has_features = false;
    session->features = 0;
    session->status = 0;
    return 0;
}

static uint64_t protocol_features(const struct vhost_user_session *session)
{
    uint64_t features =
        UINT64_C(1) << VHOST_USER_PROTOCOL_MQ | UINT64_C(1) << VHOST_USER_PROTOCOL_REPLY_ACK |
        UINT64_C(1) << VHOST_USER_PROTOCOL_BACKEND_REQ | UINT64_C(1) << VHOST_USER_PROTOCOL_BACKEND_SEND_FD |
        UINT64_C(1) << VHOST_USER_PROTOCOL_RESET_DEVICE | UINT64_C(1) << VHOST_USER_PROTOCOL_CONFIGURE_MEM_SLOTS |
        UINT64_C(1) << VHOST_USER_PROTOCOL_STATUS;
    if (session->info.config)
        features |= UINT64_C(1) << VHOST_USER_PROTOCOL_CONFIG;
    if (session->info.inflight)
        features |= UINT64_C(1) << VHOST_USER_PROTOCOL_INFLIGHT_SHMFD;
    return features;
}

int vhost_user_get_protocol_features(struct vhost_user_session *session)
{
    return reply_value(session, protocol_features(session));
}

int vhost_user_set_protocol_features(struct vhost_user_session *session)
{
    if (session->message.payload.value & ~protocol_features(session))
        return -EINVAL;
    session->protocol_features = session->message.payload.value;
    return 0;
}

int vhost_user_get_queue_num(struct vhost_user_session *session)
{
    return reply_value(session, session->info.queues);
}

/* An answer without a payload says that it failed. */
int vhost_user_get_config(struct vhost_user_session *session)
{
    const size_t head = offsetof(struct vhost_user_config, data);
    struct vhost_user_config *config = &session->message.payload.config;
    size_t bytes = session->message.header.size - head;
    if (config->bytes != bytes || config->offset > VHOST_USER_CONFIG_MAX ||
        bytes > VHOST_USER_CONFIG_MAX - config->offset) {
        vhost_user_reply(session, NULL, 0, -1);
        return VHOST_USER_REPLIED;
    }
    session->ops->config_read(session->device, config->offset, config->data, bytes);
    vhost_user_reply(session, config, head + bytes, -1);
    return VHOST_USER_REPLIED;
}

int vhost_user_set_config(struct vhost_user_session *session)
{
    const struct vhost_user_config *config = &session->message.payload.config;
    size_t bytes = session->message.header.size - offsetof(struct vhost_user_config, data);
    if (config->bytes != bytes || config->offset > VHOST_USER_CONFIG_MAX ||
        bytes > VHOST_USER_CONFIG_MAX - config->offset)
        return -EINVAL;
    return session->ops->config_write(session->device, config->offset, config->data, bytes);
}

int vhost_user_get_status(struct vhost_user_session *session)
{
    return reply_value(session, session->status);
}

/* 0 comes with a driver's reset as well as with every stop of the client's machine, maybe before the rings' bases were
 * asked for: what is in flight is waited for. FEATURES_OK reads back as clear when the features were refused. */
int vhost_user_set_status(struct vhost_user_session *session)
{
    uint64_t status = session->message.payload.value;
    if (status > UINT8_MAX)
        return -EINVAL;
    if (status == 0)
        vhost_user_rings_stop(session, false);
    if (!session->has_features)
        status &= ~(uint64_t)VIRTIO_STATUS_FEATURES_OK;
    session->status = (uint8_t)status;
    return 0;
}
