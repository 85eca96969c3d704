// Rows with contents that the input chooses and checksums that are right, so that they come as far as the decoders: a store
// loads them, or calls them damaged and says where.
#include "fuzz/store_rows.hpp"

#include <string>
#include <vector>

using namespace martlet;
using namespace martlet::store_impl;
using fuzz::require;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static fuzz::scratch_store store;
    fuzz::input in(data, size);
    store.db.run("BEGIN");
    while (!in.empty())
        fuzz::insert_row(store.db, in);
    require(store.db.ok(), "rows can be inserted");
    const std::string path = "s.db";
    stored_state state;
    const auto problem = load_state(path, store.db, state);
    require(
        !problem || (problem.error == errc::store_damaged && problem.text.find("table martlet_") != std::string::npos),
        "loaded, or damaged at a place");
    std::vector<enqueued_row> enqueued;
    const auto other = load_enqueued(path, store.db, 0, 100, enqueued);
    require(!other || other.error == errc::store_damaged, "likewise");
    store.db.run("ROLLBACK");
    return 0;
}
