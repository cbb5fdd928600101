/*
 * Calls Tollgate servers from C and from languages that speak C.
 *
 *     tollgate_error error;
 *     tollgate_client *client = tollgate_connect("127.0.0.1:7400", credential, &error);
 *     char *answer = tollgate_call_json(
 *         client, "tollgate.v1.DiagnosticsService/Ping", "{}", NULL, &error);
 *     if (answer == NULL) fprintf(stderr, "%s: %s\n", error.code, error.message);
 *     tollgate_free(answer);
 *     tollgate_close(client);
 *
 * Threads: every function may be called from any thread, and a client from any number of threads
 * at once; each call waits on the thread that makes it. Callbacks run on the thread that called
 * tollgate_stream_json, one at a time. No function may be called after fork() in the child of a
 * process that has made a client.
 *
 * The process: once a client connects, SIGPIPE is ignored in the whole process, so that a server
 * that leaves does not end it; a program that handles the signal sets its handler again after its
 * first call. The installed library stays in memory once it was loaded, also after dlclose,
 * because its threads run until the process ends.
 *
 * The end: tollgate_close ends calls that still run and returns when each of them has returned and
 * no callback runs or will run; so it must not be called from a callback. Calls that begin
 * meanwhile or later fail with the code "cancelled", and closing once more does nothing.
 *
 * Memory: what a function returns belongs to the caller, who gives it back by tollgate_free. What
 * is passed in is not kept after the function has returned.
 *
 * Cancelling: a call waits until it is answered, its time is over, its client is closed or its
 * canceller is used, whichever is first.
 *
 * Every `error` may be NULL if nobody wants to know.
 */
#ifndef TOLLGATE_H
#define TOLLGATE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The version of this interface: it grows when functions or members are added. */
#define TOLLGATE_API_VERSION 3

/* A client; one serves a whole program. */
typedef struct tollgate_client tollgate_client;

/* Why a function failed: a stable code such as "quota_exhausted", and a sentence for a person. */
typedef struct tollgate_error {
    char code[32];
    char message[480];
    /* The HTTP status that a web tier answers with. */
    int32_t http_status;
    /* How long to wait before trying again, in milliseconds; -1 if waiting does not help. */
    int64_t retry_after_milliseconds;
} tollgate_error;

/* How connections are encrypted; fill it with zeros, then set what is wanted. Files are PEM and are
 * read again for each connection, so replaced ones need no new client. */
typedef struct tollgate_tls {
    /* Authorities whose servers are believed; NULL believes the system's. */
    const char *authorities_path;
    /* The name in the server's certificate; NULL takes the host of the address. */
    const char *server_name;
    /* The client's own certificate, for servers that know services by it, or NULL. */
    const char *certificate_path;
    /* The private key of that certificate; NULL looks for it in the certificate's file. */
    const char *key_path;
} tollgate_tls;

/* One entry of a call's metadata; neither member is NULL. */
typedef struct tollgate_field {
    const char *name;
    const char *value;
} tollgate_field;

/* Ends calls from another thread. */
typedef struct tollgate_canceller tollgate_canceller;

/* What can be said about one call; fill it with zeros, then set what is wanted. */
typedef struct tollgate_options {
    /* The person's login session or API key, or NULL. */
    const char *authorization;
    /* How long the answer may take, in milliseconds; 0 takes the method's default. */
    int64_t timeout_milliseconds;
    /* Ask a second server after so many milliseconds; 0 never does. Idempotent methods only. */
    int64_t hedge_after_milliseconds;
    /* Calls of one key go to one server, or NULL. */
    const char *affinity_key;
    /* Further metadata, `field_count` entries, or NULL. */
    const tollgate_field *fields;
    size_t field_count;
    /* What ends the call from another thread, or NULL. */
    tollgate_canceller *canceller;
    /* How many bytes of a stream may wait unread before its server has to, from 1; 0 is two MiB,
     * which is also the most. */
    int64_t window_bytes;
} tollgate_options;

/* What a call answered; given back by tollgate_answer_clear. */
typedef struct tollgate_answer {
    /* The response's message, and bytes that came beside it; never NULL, also if there are none. */
    uint8_t *message;
    size_t message_length;
    uint8_t *attachment;
    size_t attachment_length;
    /* The answer's metadata, by name. */
    tollgate_field *fields;
    size_t field_count;
} tollgate_answer;

/* The version of the interface that the library was built with. */
int32_t tollgate_api_version(void);

/*
 * Makes a client of the servers at `addresses`, such as "127.0.0.1:7400" or "a:7400,b:7400", or
 * of the one at a Unix socket, such as "unix:/run/tollgate.sock"; `credential` says which service
 * calls and may be NULL. It connects when the first call needs it. NULL if an address is none.
 */
tollgate_client *tollgate_connect(
    const char *addresses, const char *credential, tollgate_error *error);

/* Makes a client whose connections are encrypted; `tls` may be NULL, and then they are not. */
tollgate_client *tollgate_connect_tls(
    const char *addresses, const char *credential, const tollgate_tls *tls, tollgate_error *error);

/*
 * Calls a method with one response, such as "tollgate.v1.AccountsService/GetQuota", with request
 * and response in the canonical JSON of protobuf. NULL if the call failed.
 */
char *tollgate_call_json(
    tollgate_client *client, const char *method, const char *request,
    const tollgate_options *options, tollgate_error *error);

/*
 * The same over the messages' bytes; `response_length` gets the response's length. NULL if the call
 * failed; an empty response is not NULL.
 */
uint8_t *tollgate_call_bytes(
    tollgate_client *client, const char *method, const uint8_t *request, size_t request_length,
    const tollgate_options *options, size_t *response_length, tollgate_error *error);

/*
 * The same with bytes beside the request, which travel as they are, and with everything that comes
 * with the response in `answer`. Message and attachment have 16 MiB together. Returns 0, or -1 if
 * the call failed; then `answer` holds nothing.
 */
int32_t tollgate_exchange(
    tollgate_client *client, const char *method, const uint8_t *request, size_t request_length,
    const uint8_t *attachment, size_t attachment_length, const tollgate_options *options,
    tollgate_answer *answer, tollgate_error *error);

/* Gives back what an answer holds, and fills it with zeros; NULL is fine. */
void tollgate_answer_clear(tollgate_answer *answer);

/* Takes one message of a stream, valid until it returns; anything but 0 ends the stream. */
typedef int32_t (*tollgate_on_message)(const char *message, void *context);

/*
 * Calls a method with a stream of responses and hands each to `on_message`. Returns 0 when the
 * answer is whole or the callback ended it, else -1.
 */
int32_t tollgate_stream_json(
    tollgate_client *client, const char *method, const char *request,
    const tollgate_options *options, tollgate_on_message on_message, void *context,
    tollgate_error *error);

/* Makes a canceller; any number of calls may have it in their options, one after the other or at
 * once. */
tollgate_canceller *tollgate_canceller_create(void);

/*
 * Ends the calls that have the canceller: they fail with the code "cancelled", and so do all that
 * begin with it later. A callback that runs is not interrupted; its stream ends after it. The
 * server is told. It may be called from any thread and from a callback, but not from a signal
 * handler.
 */
void tollgate_cancel(tollgate_canceller *canceller);

/* Gives a canceller back; calls that have it go on and cannot be cancelled any more. NULL is
 * fine. */
void tollgate_canceller_destroy(tollgate_canceller *canceller);

/* Gives back what a function returned; NULL is fine. */
void tollgate_free(void *pointer);

/*
 * Ends the client: running calls fail and are waited for, new ones are refused, connections are
 * closed. NULL is fine.
 */
void tollgate_close(tollgate_client *client);

#ifdef __cplusplus
}
#endif

#endif
