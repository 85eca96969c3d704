// Does not compile, and says in one line why.
#include <martlet/client.hpp>

void publish(martlet::client& client) {
    client.async_publish("t", "x", [](martlet::error_code) {});
}
