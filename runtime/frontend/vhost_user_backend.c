/* SPDX-License-Identifier: Apache-2.0 */
/* What the device tells its client, from any thread: by the backend's own socket, and by eventfds. */
#include <errno.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "driver/signaller.h"
#include "runtime/device/virtio_pci.h"
#include "runtime/frontend/vhost_user_session.h"

/* Without an answer: the client asks for the configuration then. If it takes nothing, it is lost. */
static void config_changed(void *context)
{
    struct vhost_user_session *session = context;
    const struct vhost_user_header header = {VHOST_USER_BACKEND_CONFIG_CHANGE, VHOST_USER_VERSION, 0};
    pthread_mutex_lock(&session->backend_lock);
    if (session->backend_socket >= 0)
        (void)!send(session->backend_socket, &header, sizeof header, MSG_DONTWAIT | MSG_NOSIGNAL);
    pthread_mutex_unlock(&session->backend_lock);
}

static void queue_failed(void *context, unsigned queue)
{
    struct vhost_user_session *session = context;
    atomic_fetch_or(&session->status, VIRTIO_STATUS_NEEDS_RESET);
    pthread_mutex_lock(&session->backend_lock);
    if (queue < VHOST_QUEUES && session->rings[queue].error >= 0) {
        signaller_add(session->signaller, session->rings[queue].error);
        signaller_flush(session->signaller);
    }
    pthread_mutex_unlock(&session->backend_lock);
}

static void set_socket(struct vhost_user_session *session, int socket)
{
    pthread_mutex_lock(&session->backend_lock);
    if (session->backend_socket >= 0)
        close(session->backend_socket);
    session->backend_socket = socket;
    pthread_mutex_unlock(&session->backend_lock);
}

int vhost_user_set_backend_req_fd(struct vhost_user_session *session)
{
    struct stat status;
    if (fstat(session->message.fds[0], &status) < 0)
        return -errno;
    if (!S_ISSOCK(status.st_mode))
        return -EINVAL;
    set_socket(session, vhost_user_message_take_fd(&session->message, 0));
    return 0;
}

void vhost_user_backend_attach(struct vhost_user_session *session)
{
    const struct vhost_frontend frontend = {config_changed, queue_failed, session};
    session->ops->attach(session->device, &frontend);
}

void vhost_user_backend_detach(struct vhost_user_session *session)
{
    session->ops->attach(session->device, NULL);
    set_socket(session, -1);
}
