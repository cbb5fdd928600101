// What Apache Thrift's own C++ makes of the same echo: its non-blocking server, and a closed loop on
// one connection. Thrift answers a connection's calls in order and one at a time, so callers on one
// connection are calls that were sent ahead.
//
//     thrift-echo serve                             prints its address; ends with its input
//     thrift-echo call HOST:PORT CALLERS SECONDS
#include <thrift/protocol/TBinaryProtocol.h>
#include <thrift/server/TNonblockingServer.h>
#include <thrift/transport/TBufferTransports.h>
#include <thrift/transport/TNonblockingServerSocket.h>
#include <thrift/transport/TSocket.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "EchoService.h"
#include "measure.h"

using namespace apache::thrift;

namespace {

class Handler final : public example::EchoServiceIf {
    void echo(std::string &answer, const std::string &message) override { answer = message; }
};

class Announcement final : public server::TServerEventHandler {
public:
    explicit Announcement(std::shared_ptr<transport::TNonblockingServerSocket> socket)
        : socket(std::move(socket)) {}
    void preServe() override {
        printf("listening 127.0.0.1:%d\n", socket->getListenPort());
        fflush(stdout);
    }

private:
    std::shared_ptr<transport::TNonblockingServerSocket> socket;
};

int serve() {
    auto socket = std::make_shared<transport::TNonblockingServerSocket>("127.0.0.1", 0);
    auto processor =
        std::make_shared<example::EchoServiceProcessor>(std::make_shared<Handler>());
    server::TNonblockingServer server(
        processor, std::make_shared<protocol::TBinaryProtocolFactory>(), socket);
    server.setServerEventHandler(std::make_shared<Announcement>(socket));
    std::thread ending([] {
        char byte;
        while (read(STDIN_FILENO, &byte, 1) > 0) {
        }
        _exit(0);
    });
    server.serve();
    ending.join();
    return 0;
}

int call(const std::string &address, size_t callers, double seconds) {
    size_t colon = address.rfind(':');
    auto socket = std::make_shared<transport::TSocket>(address.substr(0, colon),
                                                       std::stoi(address.substr(colon + 1)));
    socket->setNoDelay(true);
    socket->setRecvTimeout(10000);
    auto framed = std::make_shared<transport::TFramedTransport>(socket);
    example::EchoServiceClient client(std::make_shared<protocol::TBinaryProtocol>(framed));
    framed->open();
    std::string message, answer;
    for (int part = 0; part < 8; part++) message += "tollgate";
    std::vector<int64_t> started(callers);
    static Latencies latencies;
    int64_t began = monotonic_nanoseconds(), cpu = cpu_nanoseconds();
    int64_t end = began + static_cast<int64_t>(seconds * 1e9);
    uint64_t count = 0;
    size_t under_way = callers, oldest = 0;
    for (size_t caller = 0; caller < callers; caller++) {
        started[caller] = began;
        client.send_echo(message);
    }
    while (under_way > 0) {
        client.recv_echo(answer);
        if (answer != message) stop_with("an echo did not bring back what was sent");
        int64_t now = monotonic_nanoseconds();
        record(&latencies, now - started[oldest]);
        count += 1;
        if (now < end) {
            started[oldest] = now;
            client.send_echo(message);
        } else {
            under_way -= 1;
        }
        oldest = (oldest + 1) % callers;
    }
    tell(count, monotonic_nanoseconds() - began, cpu_nanoseconds() - cpu, &latencies, 0,
         THRIFT_RELEASE);
    return 0;
}

}  // namespace

int main(int count, char **arguments) {
    try {
        if (count == 2 && strcmp(arguments[1], "serve") == 0) return serve();
        if (count == 5 && strcmp(arguments[1], "call") == 0) {
            int callers = atoi(arguments[3]);
            double seconds = atof(arguments[4]);
            if (callers > 0 && seconds > 0)
                return call(arguments[2], static_cast<size_t>(callers), seconds);
        }
    } catch (const std::exception &error) {
        stop_with(error.what());
    }
    stop_with("usage: thrift-echo serve | thrift-echo call HOST:PORT CALLERS SECONDS");
}
