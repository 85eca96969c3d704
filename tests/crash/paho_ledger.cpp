// What ledger.cpp does, written for Paho C with its file persistence: for the comparison, by scripts/chaos.
//
//   martlet_crash_paho_ledger publish|subscribe URL FILE CLIENT-ID TOPIC QOS [TRACE is ignored]
//
// Paho cannot join the application's transaction. So the publisher commits a row, and then publishes; the subscriber
// commits a row, and then lets Paho acknowledge: what a careful application does.
#include <MQTTClient.h>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <poll.h>
#include <sqlite3.h>
#include <string>
#include <string_view>
#include <thread>
#include <unistd.h>

namespace {

constexpr int messages_per_transaction = 20;
constexpr int under_way_max = 20;  // more, and Mosquitto, which cannot say so before MQTT 5, ends the connection

[[noreturn]] void fail(const std::string& why) {
    std::fprintf(stderr, "paho_ledger: %s\n", why.c_str());
    std::_Exit(3);
}

void say(std::string_view line) {
    const std::string text = std::string(line) + '\n';
    if (::write(STDOUT_FILENO, text.data(), text.size()) < 0) std::_Exit(0);  // the driver is gone
}

class ledger {
public:
    explicit ledger(const std::string& file) {
        if (sqlite3_open(file.c_str(), &db_) != SQLITE_OK) fail("cannot open " + file);
        sqlite3_busy_timeout(db_, 60'000);
        run("PRAGMA journal_mode = WAL");
        run("PRAGMA synchronous = NORMAL");
        run("CREATE TABLE IF NOT EXISTS ledger(n INTEGER PRIMARY KEY, times INTEGER NOT NULL)");
    }
    ~ledger() { sqlite3_close(db_); }
    ledger(const ledger&) = delete;
    ledger& operator=(const ledger&) = delete;

    void run(const std::string& sql) {
        if (sqlite3_exec(db_, sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK)
            fail(sql + ": " + sqlite3_errmsg(db_));
    }
    void add(std::int64_t n) {
        run("INSERT INTO ledger VALUES(" + std::to_string(n) + ", 1) ON CONFLICT(n) DO UPDATE SET times = times + 1");
    }
    std::int64_t number(const char* sql) {
        sqlite3_stmt* s = nullptr;
        if (sqlite3_prepare_v2(db_, sql, -1, &s, nullptr) != SQLITE_OK || sqlite3_step(s) != SQLITE_ROW) {
            fail(std::string(sql) + ": " + sqlite3_errmsg(db_));
        }
        const auto value = sqlite3_column_int64(s, 0);
        sqlite3_finalize(s);
        return value;
    }

private:
    sqlite3* db_ = nullptr;
};

struct party {
    ledger& book;
    MQTTClient client = nullptr;
    std::int64_t received = 0;
    std::atomic<bool> is_lost{false};
};

// On Paho's thread; it acknowledges when this returns 1.
int on_message(void* context, char* topic, int, MQTTClient_message* message) {
    auto& self = *static_cast<party*>(context);
    const std::string text(static_cast<const char*>(message->payload), static_cast<std::size_t>(message->payloadlen));
    self.book.add(std::atoll(text.c_str()));
    MQTTClient_freeMessage(&message);
    MQTTClient_free(topic);
    if (++self.received % messages_per_transaction == 0)
        say("got " + std::to_string(self.book.number("SELECT count(*) FROM ledger")));
    return 1;
}

void on_lost(void* context, char*) {
    auto& self = *static_cast<party*>(context);
    self.is_lost = true;
    self.is_lost.notify_all();
}

void connect(party& self) {
    MQTTClient_connectOptions options = MQTTClient_connectOptions_initializer;
    options.cleansession = 0;
    options.reliable = 0;
    options.maxInflightMessages = under_way_max;
    options.keepAliveInterval = 60;
    self.is_lost = false;
    while (MQTTClient_connect(self.client, &options) != MQTTCLIENT_SUCCESS)
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
}

bool is_told_to_end() {
    pollfd input{STDIN_FILENO, POLLIN, 0};
    return ::poll(&input, 1, 0) > 0;
}

int count_under_way(MQTTClient client) {
    MQTTClient_deliveryToken* tokens = nullptr;
    MQTTClient_getPendingDeliveryTokens(client, &tokens);
    int count = 0;
    while (tokens != nullptr && tokens[count] != -1)
        ++count;
    MQTTClient_free(tokens);
    return count;
}

void publish(party& self, const char* topic, int qos) {
    auto last = self.book.number("SELECT coalesce(max(n), 0) FROM ledger");
    for (;;) {
        if (self.is_lost) connect(self);
        const int under_way = count_under_way(self.client);
        const bool is_over = is_told_to_end();
        if (is_over && under_way == 0) break;
        if (is_over || under_way >= under_way_max) {
            std::this_thread::sleep_for(std::chrono::milliseconds(1));  // Paho has no event for several deliveries
            continue;
        }
        const auto first = last + 1;
        self.book.run("BEGIN IMMEDIATE");
        for (int i = 0; i != messages_per_transaction; ++i)
            self.book.add(++last);
        self.book.run("COMMIT");
        for (auto n = first; n <= last; ++n) {
            const std::string payload = std::to_string(n);
            const auto try_it = [&] {
                return MQTTClient_publish(self.client, topic, static_cast<int>(payload.size()), payload.data(), qos, 0,
                                          nullptr);
            };
            while (try_it() != MQTTCLIENT_SUCCESS)
                connect(self);
        }
        say("sent " + std::to_string(last));
    }
    say("delivered " + std::to_string(last));
    std::_Exit(0);
}

}  // namespace

int main(int count, char** arguments) {
    if (count < 7) return 2;
    const std::string_view role = arguments[1];
    const std::string url =
        "tcp://" + std::string(std::string_view(arguments[2]).substr(std::string_view("mqtt://").size()));
    const std::string file = arguments[3];
    const int qos = arguments[6][0] - '0';
    const std::string folder = file + ".paho";
    std::filesystem::create_directories(folder);

    ledger book(file);
    party self{book};
    if (MQTTClient_create(&self.client, url.c_str(), arguments[4], MQTTCLIENT_PERSISTENCE_DEFAULT,
                          const_cast<char*>(folder.c_str())) != MQTTCLIENT_SUCCESS) {
        fail("create");
    }
    if (MQTTClient_setCallbacks(self.client, &self, on_lost, on_message, nullptr) != MQTTCLIENT_SUCCESS) {
        fail("callbacks");
    }
    connect(self);
    say("started");
    if (role == "publish") publish(self, arguments[5], qos);
    while (MQTTClient_subscribe(self.client, arguments[5], qos) != MQTTCLIENT_SUCCESS)
        connect(self);
    say("subscribed");
    for (;;) {
        self.is_lost.wait(false);
        connect(self);
    }
}
