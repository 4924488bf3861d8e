/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/rpc/json_rpc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Messages may quote foreign text that was cut within a character. */
static json_t *message_text(const char *message)
{
    json_t *string = json_string(message);
    if (string)
        return string;
    char plain[CIPU_ERROR_BYTES + 128];
    size_t length = strnlen(message, sizeof(plain) - 1);
    for (size_t i = 0; i < length; i++)
        plain[i] = message[i] & 0x80 ? '?' : message[i];
    plain[length] = 0;
    return json_string(plain);
}

static json_t *error_reply(json_t *id, int code, const char *message, json_t *data)
{
    json_t *error = json_pack("{s:i, s:o}", "code", code, "message", message_text(message));
    if (data)
        json_object_set_new(error, "data", data);
    return json_pack("{s:s, s:o, s:O?}", "jsonrpc", "2.0", "error", error, "id", id ? id : json_null());
}

static char *print(json_t *reply, size_t *bytes)
{
    char *text = reply ? json_dumps(reply, JSON_COMPACT) : NULL;
    *bytes = text ? strlen(text) : 0;
    json_decref(reply);
    return text;
}

char *rpc_refuse(enum rpc_code code, const char *message, size_t *reply_bytes)
{
    return print(error_reply(NULL, code, message, NULL), reply_bytes);
}

static const struct rpc_method *find_method(const struct rpc_service *service, const char *name)
{
    for (size_t i = 0; i < service->count; i++)
        if (strcmp(service->methods[i].name, name) == 0)
            return &service->methods[i];
    return NULL;
}

static json_t *bad_parameters(json_t *id, const struct rpc_method *method, const char *parameter, const char *why)
{
    char message[CIPU_ERROR_BYTES + 64], quoted[64];
    json_t *known = json_array();
    for (size_t i = 0; method->parameters && i < method->parameters->count; i++) {
        char name[32];
        field_json_name(&method->parameters->fields[i], name);
        json_array_append_new(known, json_string(name));
    }
    if (parameter)
        snprintf(message, sizeof(message), "parameter %s: %s", quote_text(parameter, strlen(parameter), quoted), why);
    else
        snprintf(message, sizeof(message), "parameters: %s", why);
    json_t *data = json_pack("{s:s, s:s*, s:o}", "method", method->name, "parameter", parameter, "known", known);
    return error_reply(id, RPC_INVALID_PARAMETERS, message, data);
}

static json_t *refusal(json_t *id, const struct rpc_method *method, const struct rpc_call *call, int result)
{
    const char *name = strerrorname_np(-result);
    const char *text = call->error.text[0] ? call->error.text : strerror(-result);
    json_t *data = json_pack("{s:s, s:s}", "method", method->name, "errno", name ? name : "EIO");
    if (call->parameter)
        json_object_set_new(data, "parameter", json_string(call->parameter));
    return error_reply(id, result, text, data);
}

static json_t *call_method(const struct rpc_service *service, void *connection, const struct rpc_method *method,
                           const json_t *parameters, json_t *id)
{
    static const struct schema none = {"none", NULL, 0};
    const char *parameter = NULL;
    struct rpc_call call = {.context = service->context, .connection = connection};
    if (parameters && !json_is_object(parameters))
        return bad_parameters(id, method, NULL, "found an array, expected an object of named parameters");
    void *item = calloc(1, method->parameter_bytes ? method->parameter_bytes : 1);
    if (!item)
        return error_reply(id, RPC_INTERNAL_ERROR, "no memory", NULL);
    json_t *reply, *empty = json_object();
    int result = schema_decode(method->parameters ? method->parameters : &none, parameters ? parameters : empty, item,
                               &parameter, &call.error);
    call.parameters = item;
    if (result < 0) {
        reply = bad_parameters(id, method, parameter, call.error.text);
    } else {
        result = method->call(&call);
        reply = result < 0 ? refusal(id, method, &call, result)
                           : json_pack("{s:s, s:O?, s:O}", "jsonrpc", "2.0", "result",
                                       call.result ? call.result : json_true(), "id", id ? id : json_null());
    }
    json_decref(call.result);
    json_decref(empty);
    free(item);
    return reply;
}

/* The reply to one request, NULL for a notification. */
static json_t *handle_one(const struct rpc_service *service, void *connection, const json_t *request)
{
    const char *version = json_string_value(json_object_get(request, "jsonrpc"));
    const char *name = json_string_value(json_object_get(request, "method"));
    const json_t *parameters = json_object_get(request, "params");
    json_t *id = json_object_get(request, "id");
    if (!json_is_object(request))
        return error_reply(NULL, RPC_INVALID_REQUEST, "found no object, expected a request", NULL);
    if (id && !json_is_string(id) && !json_is_number(id) && !json_is_null(id))
        return error_reply(NULL, RPC_INVALID_REQUEST, "id: expected a string, a number or null", NULL);
    if (!version || strcmp(version, "2.0") != 0)
        return error_reply(id, RPC_INVALID_REQUEST, "jsonrpc: expected \"2.0\"", NULL);
    if (!name)
        return error_reply(id, RPC_INVALID_REQUEST, "method: expected a string", NULL);
    if (parameters && !json_is_object(parameters) && !json_is_array(parameters))
        return error_reply(id, RPC_INVALID_REQUEST, "params: expected an object", NULL);
    const struct rpc_method *method = find_method(service, name);
    json_t *reply;
    if (method) {
        reply = call_method(service, connection, method, parameters, id);
    } else {
        char message[128], quoted[64];
        snprintf(message, sizeof(message), "found method %s, expected one that rpc_methods_get lists",
                 quote_text(name, strlen(name), quoted));
        reply = error_reply(id, RPC_METHOD_NOT_FOUND, message, NULL);
    }
    if (id)
        return reply;
    json_decref(reply);
    return NULL;
}

/* Prints one reply; one that is too large becomes an error, so that a batch's replies stay bounded together. */
static char *print_bounded(json_t *reply, size_t room, size_t *bytes)
{
    json_t *id = json_incref(json_object_get(reply, "id"));
    char *text = print(reply, bytes);
    if (*bytes > room) {
        free(text);
        text = print(error_reply(id, RPC_REPLY_TOO_LARGE, "the reply is too large, ask for less at once", NULL), bytes);
    }
    json_decref(id);
    return text;
}

struct text {
    char *bytes;
    size_t length;
};

static bool append(struct text *text, const char *bytes, size_t length)
{
    char *grown = realloc(text->bytes, text->length + length + 1);
    if (!grown)
        return false;
    memcpy(grown + text->length, bytes, length);
    text->bytes = grown;
    text->length += length;
    grown[text->length] = 0;
    return true;
}

static char *handle_batch(const struct rpc_service *service, void *connection, const json_t *batch, size_t *reply_bytes)
{
    if (json_array_size(batch) == 0)
        return rpc_refuse(RPC_INVALID_REQUEST, "found an empty batch, expected requests", reply_bytes);
    if (json_array_size(batch) > RPC_BATCH_MAX)
        return rpc_refuse(RPC_INVALID_REQUEST, "found a batch of more than 256 requests", reply_bytes);
    struct text all = {0};
    size_t i;
    json_t *request;
    bool whole = true;
    json_array_foreach(batch, i, request)
    {
        json_t *reply = handle_one(service, connection, request);
        size_t bytes, room = all.length < RPC_REPLY_BYTES_MAX ? RPC_REPLY_BYTES_MAX - all.length : 0;
        if (!reply)
            continue;
        char *text = print_bounded(reply, room, &bytes);
        whole = whole && text && append(&all, all.length ? "," : "[", 1) && append(&all, text, bytes);
        free(text);
    }
    if (whole && all.length)
        whole = append(&all, "]", 1);
    if (!whole) {
        free(all.bytes);
        return rpc_refuse(RPC_INTERNAL_ERROR, "no memory", reply_bytes);
    }
    *reply_bytes = all.length;
    return all.bytes;
}

char *rpc_handle(const struct rpc_service *service, void *connection, const char *text, size_t bytes,
                 size_t *reply_bytes, bool *broken)
{
    json_error_t error;
    json_t *request = json_loadb(text, bytes, JSON_REJECT_DUPLICATES, &error);
    char *reply_text;
    *reply_bytes = 0;
    *broken = request == NULL;
    if (!request) {
        char message[JSON_ERROR_TEXT_LENGTH + 64];
        snprintf(message, sizeof(message), "at byte %d: %s", error.position, error.text);
        return print(error_reply(NULL, RPC_PARSE_ERROR, message, NULL), reply_bytes);
    }
    if (json_is_array(request)) {
        reply_text = handle_batch(service, connection, request, reply_bytes);
    } else {
        json_t *reply = handle_one(service, connection, request);
        reply_text = reply ? print_bounded(reply, RPC_REPLY_BYTES_MAX, reply_bytes) : NULL;
    }
    json_decref(request);
    return reply_text;
}
