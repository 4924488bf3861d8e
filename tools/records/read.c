/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Headers to the model, by libclang: layouts are the compiler's own. Constants are those macros without arguments that
 * are integer expressions, and enumerators.
 *
 * The first pass parses the headers; the second one also a variable for each macro, because only there the value of a
 * macro is evaluated. Macros that are no integers are errors in the second pass, which nobody reads.
 */
#include <clang-c/Index.h>
#include <stdlib.h>
#include <string.h>

#include "tools/records/model.h"

#define SOURCE       "records.c"
#define VALUE_PREFIX "record_constant_"

struct reader {
    struct model *model;
    const char *const *headers;
    size_t header_count;
    CXTranslationUnit unit;
    char **macros;
    size_t macro_count;
    bool failed;
};

static void *allocate(void *old, size_t bytes)
{
    void *memory = realloc(old, bytes);
    if (!memory) {
        fputs("cipu-records: out of memory\n", stderr);
        exit(2);
    }
    return memory;
}

static char *copy_string(CXString string)
{
    const char *text = clang_getCString(string);
    char *copy = allocate(NULL, text ? strlen(text) + 1 : 1);
    memcpy(copy, text ? text : "", text ? strlen(text) + 1 : 1);
    clang_disposeString(string);
    return copy;
}

/* The header of the command line in which the cursor stands; NULL = another file. */
static const char *header_of(const struct reader *reader, CXCursor cursor, unsigned *line)
{
    CXFile file;
    clang_getExpansionLocation(clang_getCursorLocation(cursor), &file, line, NULL, NULL);
    if (!file)
        return NULL;
    char *name = copy_string(clang_getFileName(file));
    const char *found = NULL;
    for (size_t i = 0; i < reader->header_count; i++)
        if (strcmp(reader->headers[i], name[0] == '.' && name[1] == '/' ? name + 2 : name) == 0)
            found = reader->headers[i];
    free(name);
    return found;
}

/* A comment as one line of plain words. */
static const char *comment_of(CXCursor cursor)
{
    char *text = copy_string(clang_Cursor_getRawCommentText(cursor)), *to = text;
    for (const char *from = text; *from;) {
        bool mark = strncmp(from, "/*", 2) == 0 || strncmp(from, "*/", 2) == 0;
        bool star = *from == '*' && (to == text || to[-1] == ' ');
        if (mark || star) {
            from += mark ? 2 : 1;
        } else if (*from == ' ' || *from == '\n' || *from == '\t') {
            if (to > text && to[-1] != ' ')
                *to++ = ' ';
            from++;
        } else {
            *to++ = *from++;
        }
    }
    while (to > text && to[-1] == ' ')
        to--;
    *to = 0;
    return text;
}

static const struct record *find_record(const struct model *model, const char *name)
{
    for (size_t i = 0; i < model->record_count; i++)
        if (strcmp(model->records[i]->name, name) == 0)
            return model->records[i];
    return NULL;
}

struct layout {
    struct reader *reader;
    struct record *record;
    bool plain; /* nothing but unsigned integers, arrays and records of them */
};

static enum CXChildVisitResult visit_field(CXCursor cursor, CXCursor parent, CXClientData data)
{
    (void)parent;
    struct layout *layout = data;
    if (clang_getCursorKind(cursor) != CXCursor_FieldDecl)
        return CXChildVisit_Continue;
    struct field field = {.offset = (uint32_t)(clang_Cursor_getOffsetOfField(cursor) / 8)};
    CXType type = clang_getCanonicalType(clang_getCursorType(cursor));
    if (type.kind == CXType_ConstantArray) {
        field.count = (uint32_t)clang_getArraySize(type);
        type = clang_getCanonicalType(clang_getArrayElementType(type));
        while (type.kind == CXType_ConstantArray) {
            field.count *= (uint32_t)clang_getArraySize(type);
            type = clang_getCanonicalType(clang_getArrayElementType(type));
        }
    }
    if (type.kind == CXType_Record) {
        char *name = copy_string(clang_getCursorSpelling(clang_getTypeDeclaration(type)));
        field.record = find_record(layout->reader->model, name);
        free(name);
    }
    bool integer = type.kind == CXType_UChar || type.kind == CXType_UShort || type.kind == CXType_UInt ||
                   type.kind == CXType_ULong || type.kind == CXType_ULongLong;
    layout->plain &= integer || field.record;
    field.bytes = (uint32_t)clang_Type_getSizeOf(type);
    field.name = copy_string(clang_getCursorSpelling(cursor));
    field.comment = comment_of(cursor);
    struct record *record = layout->record;
    record->fields = allocate(record->fields, (record->field_count + 1) * sizeof field);
    record->fields[record->field_count++] = field;
    return CXChildVisit_Continue;
}

static void check_holes(struct reader *reader, const struct record *record)
{
    uint32_t at = 0;
    for (size_t i = 0; i <= record->field_count; i++) {
        bool end = i == record->field_count;
        uint32_t next = end ? record->bytes : record->fields[i].offset;
        if (next != at) {
            fprintf(stderr, "%s:%u: struct %s has a hole of %u bytes before %s, expected explicit padding\n",
                    record->header, record->line, record->name, next - at, end ? "its end" : record->fields[i].name);
            reader->failed = true;
        }
        if (!end)
            at = next + record->fields[i].bytes * (record->fields[i].count ? record->fields[i].count : 1);
    }
}

static void add_record(struct reader *reader, CXCursor cursor, const char *header, unsigned line)
{
    struct record *record = allocate(NULL, sizeof *record);
    *record = (struct record){.name = copy_string(clang_getCursorSpelling(cursor)),
                              .header = header,
                              .comment = comment_of(cursor),
                              .line = line,
                              .bytes = (uint32_t)clang_Type_getSizeOf(clang_getCursorType(cursor))};
    struct layout layout = {reader, record, true};
    clang_visitChildren(cursor, visit_field, &layout);
    if (!layout.plain || !record->field_count)
        return;
    check_holes(reader, record);
    struct model *model = reader->model;
    model->records = allocate(model->records, (model->record_count + 1) * sizeof record);
    model->records[model->record_count++] = record;
}

static void add_constant(struct reader *reader, const char *name, const char *header, const char *group, uint64_t value)
{
    struct model *model = reader->model;
    model->constants = allocate(model->constants, (model->constant_count + 1) * sizeof *model->constants);
    model->constants[model->constant_count++] = (struct constant){name, header, group, value};
}

struct enumeration {
    struct reader *reader;
    const char *header, *group;
};

static enum CXChildVisitResult visit_enumerator(CXCursor cursor, CXCursor parent, CXClientData data)
{
    (void)parent;
    struct enumeration *enumeration = data;
    if (clang_getCursorKind(cursor) == CXCursor_EnumConstantDecl)
        add_constant(enumeration->reader, copy_string(clang_getCursorSpelling(cursor)), enumeration->header,
                     enumeration->group, clang_getEnumConstantDeclUnsignedValue(cursor));
    return CXChildVisit_Continue;
}

static enum CXChildVisitResult visit_declaration(CXCursor cursor, CXCursor parent, CXClientData data)
{
    (void)parent;
    struct reader *reader = data;
    unsigned line;
    const char *header = header_of(reader, cursor, &line);
    if (!header)
        return CXChildVisit_Continue;
    enum CXCursorKind kind = clang_getCursorKind(cursor);
    if (kind == CXCursor_StructDecl && clang_isCursorDefinition(cursor)) {
        add_record(reader, cursor, header, line);
    } else if (kind == CXCursor_EnumDecl) {
        struct enumeration enumeration = {
            reader, header, clang_Cursor_isAnonymous(cursor) ? "" : copy_string(clang_getCursorSpelling(cursor))};
        clang_visitChildren(cursor, visit_enumerator, &enumeration);
    } else if (kind == CXCursor_MacroDefinition && !clang_Cursor_isMacroFunctionLike(cursor)) {
        reader->macros = allocate(reader->macros, (reader->macro_count + 1) * sizeof *reader->macros);
        reader->macros[reader->macro_count++] = copy_string(clang_getCursorSpelling(cursor));
    }
    return CXChildVisit_Continue;
}

/* The value of a variable's initializer. */
static bool evaluate(CXCursor cursor, uint64_t *value)
{
    CXEvalResult result = clang_Cursor_Evaluate(cursor);
    bool integer = result && clang_EvalResult_getKind(result) == CXEval_Int;
    if (integer)
        *value = clang_EvalResult_getAsUnsigned(result);
    if (result)
        clang_EvalResult_dispose(result);
    return integer;
}

static enum CXChildVisitResult visit_value(CXCursor cursor, CXCursor parent, CXClientData data)
{
    (void)parent;
    struct reader *reader = data;
    CXString spelling = clang_getCursorSpelling(cursor);
    const char *name = clang_getCString(spelling);
    uint64_t value;
    if (clang_getCursorKind(cursor) == CXCursor_VarDecl && strncmp(name, VALUE_PREFIX, strlen(VALUE_PREFIX)) == 0 &&
        evaluate(cursor, &value))
        add_constant(reader, strdup(name + strlen(VALUE_PREFIX)), "", "", value);
    clang_disposeString(spelling);
    return CXChildVisit_Continue;
}

static char *append(char *text, const char *before, const char *middle, const char *after)
{
    size_t length = strlen(text), more = strlen(before) + strlen(middle) + strlen(after) + 1;
    text = allocate(text, length + more);
    snprintf(text + length, more, "%s%s%s", before, middle, after);
    return text;
}

static CXTranslationUnit parse(CXIndex index, const char *source, const char *const *arguments, size_t count)
{
    struct CXUnsavedFile file = {SOURCE, source, strlen(source)};
    CXTranslationUnit unit = NULL;
    if (clang_parseTranslationUnit2(index, SOURCE, arguments, (int)count, &file, 1,
                                    CXTranslationUnit_DetailedPreprocessingRecord, &unit) != CXError_Success)
        return NULL;
    return unit;
}

static bool report_errors(CXTranslationUnit unit)
{
    bool failed = false;
    for (unsigned i = 0; i < clang_getNumDiagnostics(unit); i++) {
        CXDiagnostic diagnostic = clang_getDiagnostic(unit, i);
        if (clang_getDiagnosticSeverity(diagnostic) >= CXDiagnostic_Error) {
            char *text = copy_string(clang_formatDiagnostic(diagnostic, clang_defaultDiagnosticDisplayOptions()));
            fprintf(stderr, "%s\n", text);
            free(text);
            failed = true;
        }
        clang_disposeDiagnostic(diagnostic);
    }
    return failed;
}

bool read_headers(struct model *model, const char *const *headers, size_t count, const char *const *arguments,
                  size_t argument_count)
{
    struct reader reader = {.model = model, .headers = headers, .header_count = count};
    CXIndex index = clang_createIndex(0, 0);
    char *source = allocate(NULL, 1);
    source[0] = 0;
    for (size_t i = 0; i < count; i++)
        source = append(source, "#include \"", headers[i], "\"\n");
    reader.unit = parse(index, source, arguments, argument_count);
    if (!reader.unit || report_errors(reader.unit)) {
        fputs("cipu-records: the headers cannot be parsed\n", stderr);
        return false;
    }
    clang_visitChildren(clang_getTranslationUnitCursor(reader.unit), visit_declaration, &reader);
    clang_disposeTranslationUnit(reader.unit);

    for (size_t i = 0; i < reader.macro_count; i++) {
        source = append(source, "static const unsigned long " VALUE_PREFIX, reader.macros[i], " = (");
        source = append(source, "", reader.macros[i], ");\n");
    }
    reader.unit = parse(index, source, arguments, argument_count);
    if (reader.unit) {
        clang_visitChildren(clang_getTranslationUnitCursor(reader.unit), visit_value, &reader);
        clang_disposeTranslationUnit(reader.unit);
    }
    clang_disposeIndex(index);
    free(source);
    return !reader.failed;
}
