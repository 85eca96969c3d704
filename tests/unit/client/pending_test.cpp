#include "client/pending.hpp"

#include <boost/asio/io_context.hpp>
#include <doctest/doctest.h>

#include <memory>
#include <vector>

using namespace martlet;
using detail::operation_kind;
using detail::run_operation;

namespace {

boost::asio::io_context io;

run_operation make() {
    return {operation_kind::run, [](error_code) {}, io.get_executor()};
}

}  // namespace

TEST_CASE("pending: a number finds its operation once") {
    detail::pending table;
    auto op = make();

    const auto token = table.add(op);

    CHECK(token != 0);
    CHECK(op.token == token);
    CHECK(table.count() == 1);
    CHECK(table.take(token) == &op);
    CHECK(table.take(token) == nullptr);
    CHECK(op.token == 0);
    CHECK(table.count() == 0);
}

TEST_CASE("pending: an old number never finds the operation that has its place now") {
    detail::pending table;
    auto first = make();
    auto second = make();
    const auto old = table.add(first);
    (void)table.take(old);

    const auto fresh = table.add(second);

    CHECK(old != fresh);
    CHECK(table.take(old) == nullptr);
    CHECK(table.take(fresh) == &second);
}

TEST_CASE("pending: unknown numbers find nothing") {
    detail::pending table;

    CHECK(table.take(0) == nullptr);
    CHECK(table.take(0xFFFF'FFFF'FFFF'FFFF) == nullptr);
}
