// A user whose program is built with -fno-exceptions: client and broker by callbacks, errors as values. Coroutines need
// exceptions, which Asio carries errors out of them by. The one thing to bring along is boost::throw_exception.
#include <martlet/broker.hpp>
#include <martlet/client.hpp>

#include <boost/asio/io_context.hpp>

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>

#if defined(__cpp_exceptions)
#    error "this is to be built without exceptions"
#endif

namespace boost {

void throw_exception(const std::exception& error) {
    std::fputs(error.what(), stderr);
    std::abort();
}
void throw_exception(const std::exception& error, const source_location&) { throw_exception(error); }

}  // namespace boost

int main() {
    using namespace martlet;
    asio::io_context io;
    broker served(io.get_executor());
    const auto where = served.listen("mqtt://127.0.0.1:0");
    if (!where) return 1;

    client user(io.get_executor(), {.urls = {"mqtt://127.0.0.1:" + std::to_string(where->port)}});
    subscription states;
    bool is_right = false;
    user.async_run([&](error_code) { served.async_stop([] {}); });
    user.async_subscribe("garden/+/state", qos::exactly_once, [&](error_code error, subscription stream) {
        if (error) return user.stop();
        states = std::move(stream);
        states.async_receive([&](error_code receive_error, const message& got) {
            is_right = !receive_error && got.text() == "open";
            user.async_disconnect([](error_code) {});
        });
        user.async_publish("garden/gate/state", "open", {.qos = qos::exactly_once},
                           [&](error_code publish_error, publish_result) {
                               if (publish_error) user.stop();
                           });
    });
    io.run();
    return is_right ? 0 : 1;
}
