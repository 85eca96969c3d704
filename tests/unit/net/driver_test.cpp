#include "unit/net/allocation_count.hpp"
#include "unit/net/driven.hpp"

#include <martlet/core/outgoing_message.hpp>

#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/strand.hpp>
#include <doctest/doctest.h>

#include <array>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <sys/socket.h>
#include <vector>

namespace {

using namespace martlet;
using namespace martlet::net;
using namespace martlet::net::test;
namespace asio = boost::asio;

TEST_CASE("driver: an echo over TCP and Unix sockets comes back as it was") {
    const socket_path file;
    const std::string sent = noise(300'000);
    for (const endpoint& at : {url("mqtt://127.0.0.1:0"), url("mqtt://[::1]:0"), file.where()}) {
        CAPTURE(to_string(at));
        loop l;
        driven d(l, at);
        d.b.on_data = [&](std::string_view bytes) {
            d.b.out.append(bytes);
            return true;
        };
        d.b.on_turn = [&] { d.b.io->flush(); };

        d.a.send(sent);
        l.until([&] { return d.a.received.size() == sent.size(); });

        CHECK(d.a.received == sent);
        CHECK(d.b.turns <= d.b.reads);
        CHECK(!d.a.closed);
        CHECK(!d.b.closed);
    }
}

TEST_CASE("driver: one short read is one turn, and what became due in it is one write") {
    loop l;
    driven d(l);
    d.b.on_data = [&](std::string_view bytes) {
        for (int i = 0; i != 100; ++i)
            d.b.out.append(bytes);
        return true;
    };
    d.b.on_turn = [&] { d.b.io->flush(); };

    d.a.send("x");
    l.until([&] { return !d.a.received.empty(); });

    CHECK(d.b.reads == 1);
    CHECK(d.b.turns == 1);
    CHECK(d.a.reads == 1);
    CHECK(d.a.received.size() == 100);
}

TEST_CASE("driver: a slow reader gets all of a large gathered output, in order") {
    loop l;
    driven d(l);
    make_small(d.a.io->link(), SO_SNDBUF, 200'000);
    d.b.io->pause_reading();

    // copied and shared pieces in turn, more than one gather takes
    std::string expected;
    for (unsigned i = 0; i != 500; ++i) {
        const std::string small = noise(i + 1, i);
        const std::string large = noise(core::output::share_size_min + 37 * i, i);
        d.a.out.append(small);
        d.a.out.append_payload(core::outgoing_message::create("t", large, qos::at_most_once, false));
        expected += small + large;
    }
    d.a.io->flush();
    CHECK(d.a.io->is_write_blocked());
    l.until([&] { return d.b.io->is_reading_paused() && d.a.io->is_write_blocked(); });
    CHECK(d.a.writable_again == 0);

    d.b.io->resume_reading();
    l.until([&] { return d.b.received.size() >= expected.size(); });

    CHECK((d.b.received == expected));
    CHECK(d.a.out.empty());
    l.until([&] { return d.a.writable_again == 1; });
    CHECK(!d.a.io->is_write_blocked());
}

TEST_CASE("driver: what is added while the transport is full leaves when it is writable") {
    loop l;
    driven d(l);
    d.b.io->pause_reading();
    const std::string chunk = noise(1'000'000);
    std::size_t sent = 0;
    while (!d.a.io->is_write_blocked()) {
        d.a.send(chunk);
        sent += chunk.size();
    }
    d.a.send("the end");
    CHECK(d.a.out.size() >= 7);

    d.b.io->resume_reading();
    l.until([&] { return d.b.received.size() == sent + 7; });
    CHECK(d.b.received.ends_with("the end"));
}

TEST_CASE("driver: an owner that returns false gets no more until it resumes") {
    loop l;
    driven d(l);
    const std::string sent = noise(1'000'000);
    d.b.on_data = [](std::string_view) { return false; };

    d.a.send(sent);
    l.until([&] { return d.b.reads == 1; });
    l.settle();
    CHECK(d.b.reads == 1);
    CHECK(d.b.turns == 1);
    CHECK(d.b.io->is_reading_paused());

    int resumed = 0;
    while (d.b.received.size() != sent.size()) {
        d.b.io->resume_reading();
        ++resumed;
        l.until([&] { return d.b.reads == 1 + resumed; });
        CHECK(d.b.turns == 1 + resumed);
    }
    CHECK((d.b.received == sent));
}

TEST_CASE("driver: pausing and resuming in the turn's own calls neither loses nor repeats") {
    loop l;
    driven d(l);
    const std::string sent = noise(2'000'000);
    d.b.on_data = [&](std::string_view) {
        d.b.io->pause_reading();
        return true;
    };
    d.b.on_turn = [&] { d.b.io->resume_reading(); };

    d.a.send(sent);
    l.until([&] { return d.b.received.size() == sent.size(); });
    CHECK((d.b.received == sent));
}

TEST_CASE("driver: a busy connection lets others have their turn") {
    loop l;
    driven d(l, url("mqtt://127.0.0.1:0"), {.turn_bytes_max = 3 * driver::read_size_max});
    std::size_t largest_turn = 0;
    std::size_t turn = 0;
    d.b.on_data = [&](std::string_view bytes) {
        turn += bytes.size();
        return true;
    };
    d.b.on_turn = [&] { largest_turn = std::max(largest_turn, std::exchange(turn, 0)); };
    d.b.io->pause_reading();
    const std::string sent = noise(1'500'000);
    d.a.send(sent);

    d.b.io->resume_reading();
    l.until([&] { return d.b.received.size() == sent.size(); });
    CHECK(largest_turn <= 3 * driver::read_size_max);
    CHECK((d.b.received == sent));
}

TEST_CASE("driver: the peer's end is eof, told after the bytes before it") {
    loop l;
    driven d(l);
    d.b.on_data = [&](std::string_view) {
        CHECK(!d.b.closed);
        return true;
    };
    d.a.out.append("bye");
    d.a.io->flush();
    d.a.io->close();
    CHECK(!d.a.closed);  // not from inside close()
    CHECK(!d.a.io->is_open());

    l.until([&] { return d.a.closed && d.b.closed; });
    CHECK(*d.a.closed == asio::error::operation_aborted);
    CHECK(*d.b.closed == asio::error::eof);
    CHECK(d.b.received == "bye");
    CHECK(!d.b.io->has_owner());
}

TEST_CASE("driver: a reset is an error, told once") {
    loop l;
    driven d(l);
    reset(d.a.io->link());
    l.until([&] { return d.a.closed && d.b.closed; });
    CHECK(*d.b.closed == asio::error::connection_reset);
    l.settle();
}

TEST_CASE("driver: when writing fails, what the peer said before it left is still read") {
    loop l;
    link_pair links = connect(l, url("mqtt://127.0.0.1:0"));
    end b(l, std::move(links.accepted));
    b.send("unread");

    // the peer's last words, then its close with our bytes unread: a reset
    const std::array<std::string_view, 1> words{"last words"};
    CHECK(links.dialed->write_some(words).bytes == 10);
    links.dialed->close();
    while (b.io->link().write_some(words).bytes != 0) {}
    b.send("more");  // fails
    CHECK(!b.closed);

    b.io->start();
    l.until([&] { return b.closed.has_value(); });
    CHECK(b.received == "last words");
    CHECK(b.closed->failed());
}

TEST_CASE("driver: a write that fails while reading is paused ends the connection") {
    loop l;
    driven d(l);
    d.b.io->pause_reading();
    d.b.send("unread");
    reset(d.a.io->link());
    while (!d.b.closed) {
        d.b.send("x");
        l.settle();
    }
    CHECK(d.b.closed->failed());
}

TEST_CASE("driver: a write that fails in the turn that paused reading ends the connection") {
    loop l;
    driven d(l);
    d.b.send("unread");
    d.b.on_data = [](std::string_view) { return false; };
    d.b.on_turn = [&] { d.b.send("answer"); };
    d.a.io->pause_reading();
    d.a.send("last words");
    d.a.io->close();
    l.until([&] { return d.b.closed.has_value(); });
    CHECK(d.b.received == "last words");
    CHECK(d.b.closed->failed());
}

TEST_CASE("driver: the owner may close, detach or die in each of its calls") {
    enum class act { close, close_after_flush, detach, die };
    enum class in { bytes, turn_end, writable_again, closed };
    for (const act what : {act::close, act::close_after_flush, act::detach, act::die}) {
        for (const in where : {in::bytes, in::turn_end, in::writable_again, in::closed}) {
            CAPTURE(static_cast<int>(what));
            CAPTURE(static_cast<int>(where));
            loop l;
            link_pair links = connect(l, url("mqtt://127.0.0.1:0"));
            make_small(*links.accepted, SO_SNDBUF, 200'000);

            class actor final : public end {
            public:
                using end::end;
                std::function<void(in)> on_call;
                bool on_bytes(driver&, std::string_view) override {
                    on_call(in::bytes);
                    return true;
                }
                void on_turn_end(driver&) override { on_call(in::turn_end); }
                void on_writable_again(driver&) override { on_call(in::writable_again); }
                void on_closed(driver&, error_code) override { on_call(in::closed); }
            };
            auto b = std::make_unique<actor>(l, std::move(links.accepted));
            const std::weak_ptr<driver> alive = b->io;
            bool acted = false;
            b->on_call = [&](in called) {
                if (called != where || acted) return;
                acted = true;
                switch (what) {
                    case act::close: return b->io->close();
                    case act::close_after_flush: return b->io->close_after_flush();
                    case act::detach: return b->io->detach();
                    case act::die: {
                        auto call = std::move(b->on_call);  // or it would destroy itself
                        b.reset();
                        return;
                    }
                }
            };
            end a(l, std::move(links.dialed));
            a.io->start();
            b->io->start();
            if (where == in::writable_again) {
                b->send(noise(10'000'000));
            } else {
                a.send("hello");
                if (where == in::closed) a.io->close_after_flush();
            }

            l.until([&] { return acted; });
            a.io->close();
            b.reset();
            l.io.run();
            CHECK(alive.expired());
        }
    }
}

TEST_CASE("driver: an exception of the owner's leaves through the loop, and the connection goes on") {
    loop l;
    driven d(l);
    d.b.on_turn = [&] {
        if (d.b.turns == 1) throw std::runtime_error("a user's handler");
    };
    d.a.send("one");
    bool thrown = false;
    while (!thrown) {
        try {
            l.io.run_one();
        } catch (const std::runtime_error&) {
            thrown = true;
        }
    }
    d.a.send("two");
    l.until([&] { return d.b.received == "onetwo"; });
}

TEST_CASE("driver: destroying everything with all in flight is safe") {
    for (const bool loop_first : {false, true}) {
        auto l = std::make_unique<loop>();
        auto d = std::make_unique<driven>(*l);
        auto e = std::make_unique<driven>(*l);
        d->b.io->pause_reading();
        d->a.send(noise(10'000'000));  // a write that waits
        e->b.io->close_after_flush();  // a drain with its timer
        e->a.io->close();              // a posted end
        auto dialing = l->net->dial(url("mqtt://127.0.0.1:1"), {}, [](dial_result) {});
        const auto listening = l->net->listen(url("mqtt://127.0.0.1:0"), {}, [](std::unique_ptr<transport>) {}, {});
        l->io.restart();
        l->io.poll_one();
        const std::shared_ptr<driver> kept = d->a.io;

        if (loop_first) {
            d->a.io->detach();
            d->b.io->detach();
            e->a.io->detach();
            e->b.io->detach();
        }
        d.reset();
        e.reset();
        if (!loop_first) l->settle();
    }
}

TEST_CASE("driver: on a strand of a loop that several threads could run") {
    loop l;
    l.net = make_asio_network(asio::make_strand(l.io));
    driven d(l);
    d.b.on_turn = [&] { d.b.send("pong"); };
    d.a.send("ping");
    l.until([&] { return !d.a.received.empty(); });
    CHECK(d.a.received == "pong");
}

// Runs the loop for 1,100 steps, told by `step`, and says how often the last 1,000 asked the heap for memory. In one call
// of run(), as Asio keeps memory for the next handler only until the call returns.
class step_counter {
public:
    explicit step_counter(loop& on) : loop_(on) {}

    void step() {
        if (++steps_ == 100) before_ = allocation_count();
        if (steps_ != 1'100) return;
        allocations_ = allocation_count() - before_;
        loop_.io.stop();
    }
    std::size_t run(std::function<void()> first) {
        steps_ = 0;
        asio::post(loop_.io, std::move(first));
        loop_.io.restart();
        loop_.io.run();
        return allocations_;
    }

private:
    loop& loop_;
    int steps_ = 0;
    std::size_t before_ = 0;
    std::size_t allocations_ = 0;
};

TEST_CASE("driver: a thousand turns allocate nothing") {
    const socket_path file;
    for (const endpoint& at : {url("mqtt://127.0.0.1:0"), file.where()}) {
        loop l;
        driven d(l, at);
        d.a.keep = d.b.keep = false;
        step_counter count(l);
        for (end* const side : {&d.a, &d.b}) {
            side->on_data = [side](std::string_view bytes) {
                side->out.append(bytes);
                return true;
            };
            side->on_turn = [side, &count] {
                side->io->flush();
                count.step();
            };
        }
        // from 4 KiB on, the pool keeps output's buffers
        CHECK(count.run([&] { d.a.send(std::string(5'000, 'x')); }) == 0);
    }
}

TEST_CASE("driver: a full transport and turns cut short allocate nothing") {
    loop l;
    driven d(l, url("mqtt://127.0.0.1:0"), {.turn_bytes_max = driver::read_size_max});
    make_small(d.a.io->link(), SO_SNDBUF, 100'000);
    make_small(d.b.io->link(), SO_RCVBUF, 100'000);
    d.b.keep = false;
    step_counter count(l);
    d.a.on_writable = [&] {
        static_cast<void>(d.a.out.reserve(1'000'000));
        d.a.out.commit(1'000'000);
        d.a.io->flush();
        count.step();
    };
    CHECK(count.run(d.a.on_writable) == 0);
}

TEST_CASE("driver: what it costs an idle connection") { CHECK(sizeof(driver) <= 320); }

}  // namespace
