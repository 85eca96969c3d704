// Everything that a store holds, checked row by row: what is faulty is named, never dropped.
#pragma once

#include "store/sqlite_schema.hpp"

#include <martlet/store.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace martlet::store_impl {

[[nodiscard]] store_failure load_state(const std::string& path, database& db, stored_state& into);

[[nodiscard]] store_failure load_enqueued(const std::string& path, database& db, std::uint64_t after,
                                          std::size_t count_max, std::vector<enqueued_row>& into);

}  // namespace martlet::store_impl
