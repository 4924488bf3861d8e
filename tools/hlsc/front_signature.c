/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/hlsc/front_signature.h"

#include <llvm-c/DebugInfo.h>
#include <string.h>

static void find_kernel(struct front *front)
{
    struct net_place whole = {front->source, 0};
    for (LLVMValueRef function = LLVMGetFirstFunction(front->module); function;
         function = LLVMGetNextFunction(function)) {
        const char *section = LLVMGetSection(function);
        bool arbiter = section != NULL && strcmp(section, "hls.arbiter") == 0;
        if (!arbiter && (section == NULL || strcmp(section, "hls.step") != 0))
            continue;
        size_t length;
        const char *name = LLVMGetValueName2(function, &length);
        if (front->kernel != NULL) {
            message_error(front->messages, whole, MESSAGE_KERNEL, "found a second kernel, %s, besides %s", name,
                          front->name);
            continue;
        }
        front->kernel = function;
        front->arbiter = arbiter;
        front->name = arena_text(front->arena, name, length);
    }
    if (front->kernel == NULL)
        message_error(front->messages, whole, MESSAGE_KERNEL, "found no STEP and no ARBITER");
}

static uint32_t parameter_index(LLVMValueRef kernel, LLVMValueRef value)
{
    uint32_t index = 0, count = LLVMCountParams(kernel);
    while (index < count && LLVMGetParam(kernel, index) != value)
        index++;
    return index;
}

/* The parameter whose home on the stack is `slot`; the number of parameters if there is none. */
static uint32_t parameter_of(LLVMValueRef kernel, LLVMValueRef slot)
{
    for (LLVMUseRef use = LLVMGetFirstUse(slot); use != NULL; use = LLVMGetNextUse(use)) {
        LLVMValueRef user = LLVMGetUser(use);
        if (LLVMIsAStoreInst(user) && LLVMGetOperand(user, 1) == slot && LLVMIsAArgument(LLVMGetOperand(user, 0)))
            return parameter_index(kernel, LLVMGetOperand(user, 0));
    }
    return LLVMCountParams(kernel);
}

static const char *string_of(struct front *front, LLVMValueRef global)
{
    LLVMValueRef initial = LLVMIsAGlobalVariable(global) ? LLVMGetInitializer(global) : NULL;
    size_t length = 0;
    if (initial == NULL || !LLVMIsConstantString(initial))
        return "";
    const char *text = LLVMGetAsString(initial, &length);
    return arena_text(front->arena, text, length > 0 ? length - 1 : 0);
}

static void read_annotation(struct front *front, LLVMValueRef call)
{
    const char *kind = string_of(front, LLVMGetOperand(call, 1));
    LLVMValueRef arguments = LLVMGetOperand(call, 4);
    uint32_t parameter = parameter_of(front->kernel, LLVMGetOperand(call, 0));
    if (parameter >= LLVMCountParams(front->kernel) || !LLVMIsAGlobalVariable(arguments))
        return;
    struct front_stream *stream = &front->streams[parameter];
    LLVMValueRef values = LLVMGetInitializer(arguments);
    stream->direction = strcmp(kind, "hls.out") == 0       ? FRONT_OUT
                        : strcmp(kind, "hls.in_cond") == 0 ? FRONT_IN_CONDITIONAL
                                                           : FRONT_IN;
    stream->bytes = (uint32_t)LLVMConstIntGetZExtValue(LLVMGetAggregateElement(values, 0));
    stream->record = string_of(front, LLVMGetAggregateElement(values, 1));
    /* LLVM renames an argument that is called as one of its blocks is. */
    stream->name = string_of(front, LLVMGetAggregateElement(values, 2));
}

static bool is_annotation(LLVMValueRef instruction)
{
    LLVMValueRef called = LLVMIsACallInst(instruction) ? LLVMGetCalledValue(instruction) : NULL;
    size_t length;
    return called != NULL && strncmp(LLVMGetValueName2(called, &length), "llvm.var.annotation", 19) == 0;
}

static void read_annotations(struct front *front)
{
    LLVMBasicBlockRef entry = LLVMGetEntryBasicBlock(front->kernel);
    LLVMValueRef next;
    for (LLVMValueRef instruction = LLVMGetFirstInstruction(entry); instruction; instruction = next) {
        next = LLVMGetNextInstruction(instruction);
        if (is_annotation(instruction)) {
            read_annotation(front, instruction);
            LLVMInstructionEraseFromParent(instruction);
        }
    }
}

/* front->streams was by parameter: the state leaves it. */
static void check_streams(struct front *front)
{
    uint32_t parameters = LLVMCountParams(front->kernel), first = 0;
    if (parameters > 0 && front->streams[0].record == NULL) {
        front->has_state = true;
        first = 1;
    }
    for (uint32_t i = first; i < parameters; i++) {
        size_t length;
        const char *name = LLVMGetValueName2(LLVMGetParam(front->kernel, i), &length);
        struct front_stream *stream = &front->streams[i];
        if (stream->record == NULL)
            message_error(front->messages, front->place, MESSAGE_ARGUMENTS,
                          "argument '%s' is neither the state (the first) nor a stream",
                          arena_text(front->arena, name, length));
        else if (stream->bytes == 0 || stream->bytes > FRONT_RECORD_BYTES)
            message_error(front->messages, front->place, MESSAGE_RECORD_SIZE,
                          "%s of stream '%s' has %u bytes, at most %u are possible", stream->record, stream->name,
                          stream->bytes, FRONT_RECORD_BYTES);
    }
    front->streams += first;
    front->stream_count = parameters - first;
    if (front->has_state && LLVMGetTypeKind(LLVMTypeOf(LLVMGetParam(front->kernel, 0))) != LLVMPointerTypeKind)
        message_error(front->messages, front->place, MESSAGE_ARGUMENTS,
                      "the first argument is neither a pointer to the state nor a stream");
}

bool front_read_signature(struct front *front)
{
    find_kernel(front);
    if (front->messages->errors != 0)
        return false;
    LLVMMetadataRef program = LLVMGetSubprogram(front->kernel);
    front->place.file = front->source;
    front->place.line = program != NULL ? LLVMDISubprogramGetLine(program) : 0;
    front->streams = arena_new(front->arena, LLVMCountParams(front->kernel) + 1, sizeof *front->streams);
    read_annotations(front);
    check_streams(front);
    return front->messages->errors == 0;
}
