// A user of the client: nobody answers, and the client is told to stop.
#include <martlet/martlet.hpp>

#include <boost/asio/io_context.hpp>

int main() {
    boost::asio::io_context io;
    martlet::client client(io.get_executor(), {.urls = {"mqtt://127.0.0.1:1"}});
    bool has_ended = false;
    client.async_run([&](martlet::error_code) { has_ended = true; });
    client.stop();
    io.run();
    return has_ended ? 0 : 1;
}
