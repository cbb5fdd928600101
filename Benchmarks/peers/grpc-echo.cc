// What gRPC's own C++ makes of the same echo: its callback server, and a closed loop of its
// asynchronous client on one channel.
//
//     grpc-echo serve                             prints its address; ends with its input
//     grpc-echo call HOST:PORT CALLERS SECONDS
#include <grpcpp/grpcpp.h>
#include <poll.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "example/echo_service.grpc.pb.h"
#include "measure.h"

namespace {

class EchoAnswers final : public example::EchoService::CallbackService {
    grpc::ServerUnaryReactor *Echo(grpc::CallbackServerContext *context,
                                   const example::EchoRequest *request,
                                   example::EchoResponse *response) override {
        response->set_message(request->message());
        auto *reactor = context->DefaultReactor();
        reactor->Finish(grpc::Status::OK);
        return reactor;
    }
};

int serve() {
    EchoAnswers service;
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
    builder.RegisterService(&service);
    std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
    if (!server || port == 0) stop_with("cannot listen");
    printf("listening 127.0.0.1:%d\n", port);
    fflush(stdout);
    char byte;
    while (read(STDIN_FILENO, &byte, 1) > 0) {
    }
    server->Shutdown();
    return 0;
}

// One caller: a call at a time, made again for the next.
struct Caller {
    std::unique_ptr<grpc::ClientContext> context;
    std::unique_ptr<grpc::ClientAsyncResponseReader<example::EchoResponse>> reader;
    example::EchoResponse response;
    grpc::Status status;
    int64_t started = 0;
};

int call(const char *address, size_t callers, double seconds) {
    auto channel = grpc::CreateChannel(address, grpc::InsecureChannelCredentials());
    if (!channel->WaitForConnected(std::chrono::system_clock::now() + std::chrono::seconds(10)))
        stop_with("cannot connect");
    auto stub = example::EchoService::NewStub(channel);
    grpc::CompletionQueue queue;
    example::EchoRequest request;
    for (int part = 0; part < 8; part++) request.mutable_message()->append("tollgate");
    std::vector<Caller> all(callers);
    auto ask = [&](Caller &caller, int64_t now) {
        caller.context = std::make_unique<grpc::ClientContext>();
        caller.context->set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(5));
        caller.started = now;
        caller.reader = stub->AsyncEcho(caller.context.get(), request, &queue);
        caller.reader->Finish(&caller.response, &caller.status, &caller);
    };
    static Latencies latencies;
    int64_t began = monotonic_nanoseconds(), cpu = cpu_nanoseconds();
    int64_t end = began + static_cast<int64_t>(seconds * 1e9);
    uint64_t count = 0;
    size_t under_way = callers;
    for (Caller &caller : all) ask(caller, began);
    while (under_way > 0) {
        void *tag = nullptr;
        bool is_ok = false;
        if (!queue.Next(&tag, &is_ok) || !is_ok) stop_with("no answer");
        Caller &caller = *static_cast<Caller *>(tag);
        if (!caller.status.ok()) stop_with("a call was answered with an error");
        if (caller.response.message() != request.message())
            stop_with("an echo did not bring back what was sent");
        int64_t now = monotonic_nanoseconds();
        record(&latencies, now - caller.started);
        count += 1;
        if (now < end)
            ask(caller, now);
        else
            under_way -= 1;
    }
    tell(count, monotonic_nanoseconds() - began, cpu_nanoseconds() - cpu, &latencies, 0,
         grpc::Version().c_str());
    return 0;
}

}  // namespace

int main(int count, char **arguments) {
    if (count == 2 && strcmp(arguments[1], "serve") == 0) return serve();
    if (count == 5 && strcmp(arguments[1], "call") == 0) {
        int callers = atoi(arguments[3]);
        double seconds = atof(arguments[4]);
        if (callers > 0 && seconds > 0)
            return call(arguments[2], static_cast<size_t>(callers), seconds);
    }
    stop_with("usage: grpc-echo serve | grpc-echo call HOST:PORT CALLERS SECONDS");
}
