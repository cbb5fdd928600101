// The limit of durable holds: the statements of the real hold with their real parameters, in plain
// single-threaded C on SQLite.
//
//     sqlite-holds RECORDING DATABASE BATCH SECONDS
//
// RECORDING is what `tollgate bench store` saw its own store run on a copy of the same database:
// the texts as SQLite was given them, and the parameters of one hold after the other (its form is
// in Sources/Bench/Store/HoldRecording.swift). So this program holds no statement of its own but
// those of batches: BEGIN IMMEDIATE and COMMIT, as the store's own. It prepares each text once,
// binds, steps and reads every column, as the store does.
#include <sqlite3.h>

#include "measure.h"

typedef struct {
    uint8_t kind;  // 0 NULL, 1 integer, 2 text, 3 bytes
    int64_t integer;
    const char *bytes;
    uint32_t count;
} Parameter;

typedef struct {
    uint32_t text;
    uint32_t first_parameter;
    uint32_t parameters;
} Step;

typedef struct {
    uint32_t first_step;
    uint32_t steps;
} Item;

static char *input, *input_end;
static sqlite3 *database;
static Parameter *parameters;
static Step *steps;
static size_t parameter_count, parameter_room, step_count, step_room;

static uint32_t read_number(void) {
    uint32_t value;
    if (input + sizeof value > input_end) stop_with("the recording is cut off");
    memcpy(&value, input, sizeof value);
    input += sizeof value;
    return value;
}

static const char *read_bytes(uint32_t count) {
    if (count > (size_t)(input_end - input)) stop_with("the recording is cut off");
    const char *bytes = input;
    input += count;
    return bytes;
}

static void load(const char *path) {
    FILE *file = fopen(path, "rb");
    if (!file) stop_with("cannot read the recording");
    fseek(file, 0, SEEK_END);
    long size = ftell(file);
    rewind(file);
    input = malloc((size_t)size + 1);
    if (!input || fread(input, 1, (size_t)size, file) != (size_t)size)
        stop_with("cannot read the recording");
    fclose(file);
    input_end = input + size;
    if (size < 8 || memcmp(input, "HOLDS 1\n", 8) != 0) stop_with("this is no recording");
    input += 8;
}

static void *grown(void *array, size_t count, size_t *room, size_t size) {
    if (count < *room) return array;
    *room = *room ? *room * 2 : 4096;
    array = realloc(array, *room * size);
    if (!array) stop_with("no memory");
    return array;
}

static Item read_item(void) {
    Item item = {.first_step = (uint32_t)step_count, .steps = read_number()};
    for (uint32_t place = 0; place < item.steps; place++) {
        Step step = {.text = read_number(), .first_parameter = (uint32_t)parameter_count};
        step.parameters = read_number();
        for (uint32_t number = 0; number < step.parameters; number++) {
            Parameter parameter = {.kind = (uint8_t)*read_bytes(1)};
            if (parameter.kind == 1) {
                memcpy(&parameter.integer, read_bytes(8), 8);
            } else if (parameter.kind > 1) {
                parameter.count = read_number();
                parameter.bytes = read_bytes(parameter.count);
            }
            parameters =
                grown(parameters, parameter_count, &parameter_room, sizeof(Parameter));
            parameters[parameter_count++] = parameter;
        }
        steps = grown(steps, step_count, &step_room, sizeof(Step));
        steps[step_count++] = step;
    }
    return item;
}

static void fail(void) { stop_with(sqlite3_errmsg(database)); }

static sqlite3_stmt *prepare(const char *text, int count) {
    sqlite3_stmt *statement = NULL;
    if (sqlite3_prepare_v3(database, text, count, SQLITE_PREPARE_PERSISTENT, &statement, NULL) !=
        SQLITE_OK)
        fail();
    return statement;
}

// Reads what the store reads: each column of each row.
static void finish(sqlite3_stmt *statement) {
    int code;
    while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
        int columns = sqlite3_column_count(statement);
        for (int column = 0; column < columns; column++) {
            switch (sqlite3_column_type(statement, column)) {
            case SQLITE_INTEGER: (void)sqlite3_column_int64(statement, column); break;
            case SQLITE_TEXT: (void)sqlite3_column_text(statement, column); break;
            case SQLITE_BLOB: (void)sqlite3_column_blob(statement, column); break;
            default: break;
            }
        }
    }
    if (code != SQLITE_DONE) fail();
    sqlite3_reset(statement);
}

static void run_item(sqlite3_stmt **statements, Item item) {
    for (uint32_t place = 0; place < item.steps; place++) {
        Step *step = &steps[item.first_step + place];
        sqlite3_stmt *statement = statements[step->text];
        for (uint32_t number = 0; number < step->parameters; number++) {
            Parameter *parameter = &parameters[step->first_parameter + number];
            int at = (int)number + 1;
            switch (parameter->kind) {
            case 0: sqlite3_bind_null(statement, at); break;
            case 1: sqlite3_bind_int64(statement, at, parameter->integer); break;
            case 2:
                sqlite3_bind_text(statement, at, parameter->bytes, (int)parameter->count,
                                  SQLITE_STATIC);
                break;
            default:
                sqlite3_bind_blob(statement, at, parameter->bytes, (int)parameter->count,
                                  SQLITE_STATIC);
            }
        }
        finish(statement);
    }
}

static int64_t rows_of_holds(void) {
    sqlite3_stmt *statement = prepare("SELECT count(*) FROM holds", -1);
    if (sqlite3_step(statement) != SQLITE_ROW) fail();
    int64_t rows = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return rows;
}

int main(int count, char **arguments) {
    if (count != 5) stop_with("usage: sqlite-holds RECORDING DATABASE BATCH SECONDS");
    load(arguments[1]);
    uint32_t batch_size = (uint32_t)atoi(arguments[3]);
    double seconds = atof(arguments[4]);
    if (batch_size == 0 || seconds <= 0) stop_with("no batch, or no time");
    if (sqlite3_open_v2(arguments[2], &database, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX,
                        NULL) != SQLITE_OK)
        fail();

    // Settings of the connection, then the texts, as the store gave them.
    uint32_t settings = read_number();
    for (uint32_t place = 0; place < settings; place++) {
        uint32_t length = read_number();
        sqlite3_stmt *statement = prepare(read_bytes(length), (int)length);
        while (sqlite3_step(statement) == SQLITE_ROW) {}
        sqlite3_finalize(statement);
    }
    uint32_t texts = read_number();
    sqlite3_stmt **statements = calloc(texts, sizeof *statements);
    for (uint32_t place = 0; place < texts; place++) {
        uint32_t length = read_number();
        statements[place] = prepare(read_bytes(length), (int)length);
    }
    Item per_batch = read_item();
    uint32_t item_count = read_number();
    Item *items = calloc(item_count, sizeof *items);
    int64_t *commits = calloc(item_count + 1, sizeof *commits);
    if (!statements || !items || !commits) stop_with("no memory");
    for (uint32_t place = 0; place < item_count; place++) items[place] = read_item();

    sqlite3_stmt *begin = prepare("BEGIN IMMEDIATE", -1), *commit = prepare("COMMIT", -1);
    int64_t rows = rows_of_holds();
    // The log is there before anything is measured, as it is when a store has been opened.
    finish(begin);
    run_item(statements, per_batch);
    finish(commit);
    static Latencies latencies, commit_times;
    int64_t began = monotonic_nanoseconds(), cpu = cpu_nanoseconds(), now = began;
    int64_t end = began + (int64_t)(seconds * 1e9);
    uint32_t done = 0;
    while (done < item_count && now < end) {
        uint32_t last = done + batch_size < item_count ? done + batch_size : item_count;
        int64_t started = now;
        uint32_t first = done;
        finish(begin);
        for (; done < last; done++) run_item(statements, items[done]);
        run_item(statements, per_batch);
        int64_t committing = monotonic_nanoseconds();
        finish(commit);
        now = monotonic_nanoseconds();
        record(&commit_times, now - committing);
        for (uint32_t place = first; place < last; place++) record(&latencies, now - started);
    }
    cpu = cpu_nanoseconds() - cpu;
    if (rows_of_holds() - rows != (int64_t)done) stop_with("the holds were not all made");
    tell(done, now - began, cpu, &latencies, percentile(&commit_times, 0.5),
         sqlite3_libversion());
    return 0;
}
