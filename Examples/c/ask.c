/*
 * Asks a Tollgate server from C: who is there, and one question whose answer is streamed.
 *
 * Build: cc -o ask ask.c $(pkg-config --cflags --libs tollgate)
 * Usage: ask ADDRESSES CREDENTIAL [SESSION QUESTION]
 *
 * ADDRESSES is HOST:PORT, several with commas, or unix:/PATH. CREDENTIAL is the connection
 * credential by which a server knows which program calls: the text of the file credentials/cli in
 * the server's data folder, which `tollgate up` and `tollgate serve` make (~/.tollgate, or --data).
 * On this machine:
 *
 *     ./ask 127.0.0.1:7400 "$(cat ~/.tollgate/credentials/cli)"
 *
 * On another one its operator gives it to you. It is a secret; keep it in a file.
 *
 * SESSION says whose question it is, and who pays for it: "Bearer " and then an API key, which
 * `tollgate keys create NAME` shows once after `tollgate login`.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tollgate.h>

static int32_t print_message(const char *message, void *context) {
    int *count = context;
    (*count)++;
    return puts(message) < 0;
}

static int fail(const tollgate_error *error) {
    fprintf(stderr, "%s: %s\n", error->code, error->message);
    return 1;
}

/* Writes `text` as a JSON string; 0 if it does not fit. */
static int quote(const char *text, char *to, size_t size) {
    size_t used = 0;
    if (size < 3) return 0;
    to[used++] = '"';
    for (; *text != '\0'; text++) {
        if (used + 8 > size) return 0;
        if (*text == '"' || *text == '\\')
            used += (size_t)sprintf(to + used, "\\%c", *text);
        else if ((unsigned char)*text < 0x20)
            used += (size_t)sprintf(to + used, "\\u%04x", (unsigned char)*text);
        else
            to[used++] = *text;
    }
    to[used++] = '"';
    to[used] = '\0';
    return 1;
}

static int ask(tollgate_client *client, const char *session, const char *question) {
    tollgate_error error;
    tollgate_options options;
    char quoted[4000], request[4096];
    int count = 0;

    memset(&options, 0, sizeof options);
    options.authorization = session;
    if (!quote(question, quoted, sizeof quoted)) {
        fprintf(stderr, "The question is too long.\n");
        return 1;
    }
    snprintf(request, sizeof request,
             "{\"turns\": [{\"role\": \"user\", \"content\": %s}]}", quoted);
    if (tollgate_stream_json(client, "tollgate.v1.ChatService/Ask", request, &options,
                             print_message, &count, &error) != 0)
        return fail(&error);
    printf("%d messages\n", count);
    return 0;
}

int main(int argc, char **argv) {
    tollgate_error error;
    tollgate_client *client;
    char *answer;
    int status = 0;

    if (argc != 3 && argc != 5) {
        fprintf(stderr, "Usage: ask ADDRESSES CREDENTIAL [SESSION QUESTION]\n");
        return 2;
    }
    client = tollgate_connect(argv[1], argv[2], &error);
    if (client == NULL) return fail(&error);
    answer = tollgate_call_json(client, "tollgate.v1.DiagnosticsService/Ping",
                                "{\"payload\": \"aGVsbG8=\"}", NULL, &error);
    if (answer == NULL) {
        status = fail(&error);
    } else {
        puts(answer);
        tollgate_free(answer);
        if (argc == 5) status = ask(client, argv[3], argv[4]);
    }
    tollgate_close(client);
    return status;
}
