// The echo of the benchmarks, for Apache Thrift's own code.
namespace cpp example

service EchoService {
  // Sends the message back.
  string echo(1: string message)
}
