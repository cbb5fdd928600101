// A model provider that answers at once: any POST gets a whole streamed chat completion of OpenAI's
// form in one write. Prints its address; ends with its input.
#include "sockets.h"

#include <strings.h>

enum { DELTAS = 16 };

static char response[16384];
static size_t response_bytes;

static void append(const char *text) {
    size_t count = strlen(text);
    if (response_bytes + count >= sizeof response) stop_with("the answer is too long");
    memcpy(response + response_bytes, text, count);
    response_bytes += count;
}

// One event as one chunk of the transfer coding, as providers send them.
static void append_event(const char *data) {
    char line[2048], chunk[2100];
    snprintf(line, sizeof line, "data: %s\n\n", data);
    snprintf(chunk, sizeof chunk, "%zx\r\n%s\r\n", strlen(line), line);
    append(chunk);
}

#define CHUNK                                                                  \
    "{\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\","               \
    "\"created\":1700000000,\"model\":\"mock\",\"choices\":"

static void make_response(void) {
    append("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
           "Transfer-Encoding: chunked\r\n\r\n");
    append_event(CHUNK "[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"},"
                       "\"finish_reason\":null}]}");
    for (int delta = 0; delta < DELTAS; delta++)
        append_event(CHUNK "[{\"index\":0,\"delta\":{\"content\":\"word \"},"
                           "\"finish_reason\":null}]}");
    append_event(CHUNK "[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}");
    append_event(CHUNK "[],\"usage\":{\"prompt_tokens\":12,\"completion_tokens\":16,"
                       "\"total_tokens\":28}}");
    append_event("[DONE]");
    append("0\r\n\r\n");
}

static size_t content_length(const char *head, size_t count) {
    static const char name[] = "\r\ncontent-length:";
    for (size_t place = 0; place + sizeof name < count; place++)
        if (strncasecmp(head + place, name, sizeof name - 1) == 0)
            return strtoul(head + place + sizeof name - 1, NULL, 10);
    return 0;
}

static ssize_t answer(int socket, char *bytes, size_t count) {
    size_t done = 0;
    while (1) {
        char *head = bytes + done;
        char *end = memmem(head, count - done, "\r\n\r\n", 4);
        if (!end) return (ssize_t)done;
        size_t head_bytes = (size_t)(end - head) + 4;
        size_t whole = head_bytes + content_length(head, head_bytes);
        if (whole > count - done) return (ssize_t)done;
        if (write_all(socket, response, response_bytes) != 0) return -1;
        done += whole;
    }
}

int main(void) {
    make_response();
    return serve_until_input_ends(answer);
}
