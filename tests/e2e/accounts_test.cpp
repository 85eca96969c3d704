// SCRAM-SHA-256 between our client and our broker over a socket: in, out, again, and against a server that only pretends.
#include "support/temporary_folder.hpp"

#include <martlet/accounts.hpp>
#include <martlet/authenticator.hpp>
#include <martlet/broker.hpp>
#include <martlet/client.hpp>
#include <martlet/password_file.hpp>
#include <martlet/scram.hpp>

#include <boost/asio/io_context.hpp>
#include <doctest/doctest.h>

#include <memory>
#include <optional>
#include <string>

using namespace martlet;

namespace {

namespace asio = boost::asio;

/// Accepts whatever it is told, and proves nothing.
class pretender final : public authenticator {
public:
    void authenticate(const authentication_request& request, authentication_handler done) override {
        authentication_answer answer;
        if (request.step == authentication_step::connect && asks_) {
            answer.reason = reason_code::continue_authentication;
            const std::string first(request.data);
            answer.data = first.substr(first.find("r=")) + "x,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
        } else {
            answer.data = "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";
        }
        done(std::move(answer));
    }
    explicit pretender(bool asks) : asks_(asks) {}

private:
    bool asks_;
};

struct world {
    explicit world(std::shared_ptr<authenticator> who = {}) {
        broker_options options;
        options.authenticator = who != nullptr ? std::move(who) : open();
        served.emplace(io.get_executor(), options);
        const auto where = served->listen("mqtt://127.0.0.1:0");
        REQUIRE(where.has_value());
        url = to_string(*where);
    }
    std::shared_ptr<authenticator> open() {
        password_file file;
        std::string why;
        REQUIRE(file.set("joe", "pencil", password_scheme::scram_sha_256, 4'096));
        REQUIRE(file.set("ann", "pencil", password_scheme::scram_sha_512, 4'096));
        REQUIRE(file.write(folder.path("users"), why));
        auto users = accounts::open(io.get_executor(), {.password_file = folder.path("users")}, &why);
        REQUIRE_MESSAGE(users != nullptr, why);
        return users;
    }
    /// Publishes one message at QoS 1, and says how async_run ended.
    error_code run(std::string user, std::string password) {
        return run(scram_sha_256(std::move(user), std::move(password)));
    }
    error_code run(std::shared_ptr<enhanced_authentication> proof) {
        client c(io, {.urls = {url}, .authentication = std::move(proof)});
        std::optional<error_code> end;
        c.async_run([&](error_code error) { end = error; });
        c.async_publish("t", "x", publish_options{.qos = qos::at_least_once}, [&](error_code error, publish_result) {
            if (!error) c.async_disconnect([](error_code) {});
        });
        io.restart();
        while (!end && io.run_one() != 0) {}
        REQUIRE(end);
        return *end;
    }

    martlet::test::temporary_folder folder;
    asio::io_context io;
    std::optional<broker> served;
    std::string url;
};

}  // namespace

TEST_CASE("accounts: SCRAM lets in who knows the password, and nobody else") {
    world w;
    CHECK_FALSE(w.run("joe", "pencil"));
    CHECK(w.run("joe", "wrong") == reason_code::not_authorized);
    CHECK(w.run("eve", "pencil") == reason_code::not_authorized);
    CHECK_FALSE(w.run(scram_sha_512("ann", "pencil")));
    CHECK(w.run(scram_sha_512("ann", "wrong")) == reason_code::not_authorized);
}

TEST_CASE("accounts: a client gives nothing to a server that has not proved itself") {
    for (const bool asks : {true, false}) {
        world w(std::make_shared<pretender>(asks));
        CHECK(w.run("joe", "pencil") == errc::authentication_failed);
        CHECK(w.served->statistics().messages_received == 0);
    }
}
