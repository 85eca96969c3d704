// A store for the fuzz target store_loader, and rows whose contents its input chooses.
#pragma once

#include "fuzz/input.hpp"
#include "store/sqlite_loading.hpp"

#include <filesystem>
#include <string>

namespace martlet::fuzz {

/// A store whose rows live in a transaction that is never committed.
class scratch_store {
public:
    scratch_store() {
        std::string folder = (std::filesystem::temp_directory_path() / "martlet-fuzz-XXXXXX").string();
        require(::mkdtemp(folder.data()) != nullptr, "there is a folder");
        require(!store_impl::open_store(folder + "/s.db", {}, lock_, db), "there is a store");
        std::filesystem::remove_all(folder);  // what is open stays
    }
    store_impl::database db;

private:
    store_impl::file_lock lock_;
};

/// A row of some table, with the checksum that is right for it.
void insert_row(store_impl::database& db, input& in);

}  // namespace martlet::fuzz
