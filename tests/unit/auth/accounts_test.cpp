// The authenticator over password and ACL files: who gets in, by what, and what a reload changes.
#include "support/temporary_folder.hpp"

#include <martlet/accounts.hpp>
#include <martlet/password_file.hpp>
#include <martlet/scram.hpp>

#include <boost/asio/io_context.hpp>
#include <doctest/doctest.h>

#include <optional>
#include <string>
#include <vector>

using namespace martlet;

namespace {

struct world {
    world() {
        password_file file;
        std::string why;
        REQUIRE(file.set("joe", "secret", password_scheme::pbkdf2_sha512, 1'000));
        REQUIRE(file.set("ann", "pencil", password_scheme::scram_sha_256, 4'096));
        REQUIRE(file.set("bob", "crayon", password_scheme::scram_sha_512, 4'096));
        REQUIRE(file.write(folder.path("users"), why));
        options.password_file = folder.path("users");
    }

    std::shared_ptr<accounts> open() {
        std::string why;
        auto made = accounts::open(io.get_executor(), options, &why);
        REQUIRE_MESSAGE(made != nullptr, why);
        return made;
    }
    std::string problem() {
        std::string why;
        CHECK(accounts::open(io.get_executor(), options, &why) == nullptr);
        return why;
    }
    authentication_answer ask(accounts& from, const authentication_request& request) {
        std::optional<authentication_answer> got;
        from.authenticate(request, [&](authentication_answer a) { got = std::move(a); });
        io.restart();
        while (!got && io.run_one() != 0) {}
        REQUIRE(got);
        return *got;
    }
    reason_code connect(accounts& from, std::string_view user, std::optional<std::string_view> password,
                        std::string_view id = "id") {
        authentication_request request;
        request.connection = 7;
        request.client.client_id = id;
        request.client.user_name = user;
        request.password = password;
        return ask(from, request).reason;
    }

    test::temporary_folder folder;
    boost::asio::io_context io;
    accounts_options options;
};

client_info client(std::string_view user) {
    client_info who;
    who.user_name = user;
    who.client_id = "id";
    return who;
}

}  // namespace

TEST_CASE("accounts: a password is right or it is not") {
    world w;
    const auto users = w.open();

    CHECK(w.connect(*users, "joe", "secret") == reason_code::success);
    CHECK(w.connect(*users, "ann", "pencil") == reason_code::success);
    CHECK(w.connect(*users, "joe", "Secret") == reason_code::bad_user_name_or_password);
    CHECK(w.connect(*users, "joe", "") == reason_code::bad_user_name_or_password);
    CHECK(w.connect(*users, "joe", std::nullopt) == reason_code::bad_user_name_or_password);
    CHECK(w.connect(*users, "eve", "secret") == reason_code::bad_user_name_or_password);
}

TEST_CASE("accounts: anonymous clients only if they are allowed") {
    world w;
    CHECK(w.connect(*w.open(), "", std::nullopt) == reason_code::not_authorized);
    w.options.allow_anonymous = true;
    CHECK(w.connect(*w.open(), "", std::nullopt) == reason_code::success);
    CHECK(w.connect(*w.open(), "joe", "wrong") == reason_code::bad_user_name_or_password);
}

TEST_CASE(
    "accounts: more waiting hashes than allowed are refused at once, and a connection that went away is forgotten") {
    world w;
    w.options.hash_queue_max = 2;
    const auto users = w.open();
    std::vector<reason_code> answers;
    const auto ask = [&](std::uint64_t connection) {
        authentication_request request;
        request.connection = connection;
        request.client.user_name = "joe";
        request.password = "secret";
        users->authenticate(request, [&](authentication_answer a) { answers.push_back(a.reason); });
    };
    // One may be under way, two wait: of twenty at most three are not refused before the loop has run.
    for (std::uint64_t i = 1; i <= 20; ++i)
        ask(i);
    const std::size_t refused = answers.size();
    CHECK(refused >= 1);
    CHECK(answers == std::vector<reason_code>(refused, reason_code::server_busy));
    for (std::uint64_t i = 1; i <= 20; ++i)
        users->forget(i);
    w.io.run();
    CHECK(answers.size() == refused);
}

TEST_CASE("accounts: hashes under way do not outlive it") {
    world w;
    auto users = w.open();
    bool told = false;
    authentication_request request;
    request.client.user_name = "joe";
    request.password = "secret";
    users->authenticate(request, [&](authentication_answer) { told = true; });
    users.reset();
    w.io.run();
    CHECK_FALSE(told);
}

TEST_CASE("accounts: SCRAM in both directions") {
    world w;
    const auto users = w.open();
    const auto exchange = [&](std::string user, std::string password, authentication_step step, std::string_view as,
                              bool is_512 = false) {
        const auto proof = is_512 ? scram_sha_512(user, password) : scram_sha_256(user, password);
        const std::string first = proof->begin();
        authentication_request request;
        request.connection = 9;
        request.step = step;
        request.client.user_name = as;
        request.method = proof->method();
        request.data = first;
        const auto challenge = w.ask(*users, request);
        if (challenge.reason != reason_code::continue_authentication) return challenge;
        const auto last = proof->respond(challenge.data);
        REQUIRE(last);
        request.step = authentication_step::more;
        request.data = *last;
        auto end = w.ask(*users, request);
        if (end.reason == reason_code::success) CHECK(proof->finish(end.data));
        return end;
    };
    const auto connect = authentication_step::connect;
    const auto again = authentication_step::reconnect;

    CHECK(exchange("ann", "pencil", connect, "").reason == reason_code::success);
    CHECK(exchange("ann", "pencil", connect, "").user_name == "ann");
    CHECK(exchange("ann", "wrong", connect, "").reason == reason_code::not_authorized);
    CHECK(exchange("eve", "pencil", connect, "").reason == reason_code::not_authorized);
    CHECK(exchange("joe", "secret", connect, "").reason == reason_code::not_authorized);  // its hash is no verifier
    CHECK(exchange("ann", "pencil", again, "ann").reason == reason_code::success);
    CHECK(exchange("ann", "pencil", again, "joe").reason == reason_code::not_authorized);
    CHECK(exchange("bob", "crayon", connect, "", true).user_name == "bob");
    CHECK(exchange("bob", "wrong", connect, "", true).reason == reason_code::not_authorized);
    CHECK(exchange("bob", "crayon", connect, "").reason == reason_code::not_authorized);  // the other method's verifier
    CHECK(exchange("ann", "pencil", connect, "", true).reason == reason_code::not_authorized);
}

TEST_CASE("accounts: SCRAM steps out of order, of other methods, and garbage") {
    world w;
    const auto users = w.open();
    authentication_request request;
    request.connection = 9;
    request.method = "SCRAM-SHA-256";
    request.step = authentication_step::more;
    request.data = "c=biws,r=x,p=AAAA";
    CHECK(w.ask(*users, request).reason == reason_code::not_authorized);
    request.step = authentication_step::connect;
    request.data = "garbage";
    CHECK(w.ask(*users, request).reason == reason_code::not_authorized);
    request.method = "SCRAM-SHA-1";
    CHECK(w.ask(*users, request).reason == reason_code::bad_authentication_method);
    w.options.scram_sha_256 = false;
    request.method = "SCRAM-SHA-256";
    CHECK(w.ask(*w.open(), request).reason == reason_code::bad_authentication_method);
    request.method = "SCRAM-SHA-512";
    CHECK(w.ask(*w.open(), request).reason == reason_code::not_authorized);
    w.options.scram_sha_512 = false;
    CHECK(w.ask(*w.open(), request).reason == reason_code::bad_authentication_method);
}

TEST_CASE("accounts: rights come from the ACL file; without one everything is allowed") {
    world w;
    CHECK(w.open()->may_publish(client("joe"), "a"));
    w.options.acl_file = w.folder.write("rights", "user joe\ntopic read r/#\ntopic write w\n", 0644);
    const auto users = w.open();

    CHECK(users->may_publish(client("joe"), "w"));
    CHECK_FALSE(users->may_publish(client("joe"), "r/x"));
    CHECK(users->may_receive(client("joe"), "r/x"));
    CHECK_FALSE(users->may_receive(client("joe"), "w"));
    CHECK(users->may_subscribe(client("joe"), "r/+"));
    CHECK_FALSE(users->may_subscribe(client("joe"), "#"));
    CHECK_FALSE(users->may_publish(client("ann"), "w"));
}

TEST_CASE("accounts: names that could be parts of a pattern are refused") {
    world w;
    w.options.acl_file = w.folder.write("rights", "pattern readwrite %c/#\n");
    const auto users = w.open();
    CHECK(w.connect(*users, "joe", "secret", "a+") == reason_code::client_identifier_not_valid);
    CHECK(w.connect(*users, "joe#", "secret") == reason_code::bad_user_name_or_password);
    CHECK(w.connect(*users, "joe", "secret", "a") == reason_code::success);
}

TEST_CASE("accounts: empty, missing and contradicting files are refused") {
    world w;
    w.options.acl_file = w.folder.write("rights", "");
    CHECK(w.problem().ends_with("rights:1: there is no rule in it; to forbid everything: topic deny #"));
    w.options.acl_file = w.folder.write("rights", "user joe\ntopic a\n");
    w.options.password_file.clear();
    CHECK(w.problem().ends_with("rights: has rights of users, but no password file says who they are"));
    w.options.trust_user_names = true;
    CHECK(w.connect(*w.open(), "joe", std::nullopt) == reason_code::success);
    w.options.password_file = w.folder.write("empty", "# nobody\n");
    CHECK(w.problem().ends_with("empty: there is no user in it"));
    w.options.password_file = w.folder.path("missing");
    CHECK(w.problem().ends_with("missing: No such file or directory"));
}

TEST_CASE("accounts: a reload takes effect as a whole, or not at all") {
    world w;
    w.options.acl_file = w.folder.write("rights", "user joe\ntopic a\n");
    const auto users = w.open();
    const auto generation = users->rights_generation();

    w.folder.write("rights", "user joe\ntopik b\n");
    std::string why;
    CHECK_FALSE(users->reload(&why));
    CHECK(why.ends_with("rights:2: unknown word 'topik'; a line is user, topic or pattern"));
    CHECK(users->rights_generation() == generation);
    CHECK(users->may_publish(client("joe"), "a"));

    w.folder.write("rights", "user joe\ntopic b\n");
    password_file file;
    REQUIRE(file.set("ann", "x", password_scheme::sha512));
    REQUIRE(file.write(w.folder.path("users"), why));
    CHECK(users->reload());
    CHECK(users->rights_generation() != generation);
    CHECK_FALSE(users->may_publish(client("joe"), "a"));
    CHECK(users->may_publish(client("joe"), "b"));
    CHECK_FALSE(users->may_stay(client("joe")));
    CHECK(users->may_stay(client("ann")));
    CHECK_FALSE(users->may_stay(client("")));
}
