// Our broker as an application has it that embeds it: the library, default options, nothing else. It is built in seconds,
// which makes it what to measure with while the broker is being worked on (scripts/benchmark --embedded).
//
//   martlet_bench_broker [--certificate FILE --key FILE] URL...
//
// Ends at SIGTERM.
#include <martlet/broker.hpp>

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>

#include <csignal>
#include <cstdio>
#include <string>
#include <string_view>

int main(int argc, char* argv[]) {
    boost::asio::io_context io(1);
    martlet::broker_options options;
    int first = 1;
    for (; first + 1 < argc; first += 2) {
        const std::string_view name = argv[first];
        if (name == "--certificate") {
            options.listener.tls.certificate_file = argv[first + 1];
        } else if (name == "--key") {
            options.listener.tls.key_file = argv[first + 1];
        } else {
            break;
        }
    }
    martlet::broker broker(io.get_executor(), options);
    for (int i = first; i < argc; ++i) {
        std::string detail;
        if (broker.listen(argv[i], &detail)) continue;
        std::fprintf(stderr, "%s\n", detail.c_str());
        return 1;
    }
    boost::asio::signal_set signals(io, SIGTERM, SIGINT);
    signals.async_wait([&](auto, int) { broker.stop([&] { io.stop(); }); });
    io.run();
    return 0;
}
