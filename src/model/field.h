// SPDX-License-Identifier: MIT
// What a field of a record is called, in which unit and what it means: the vocabulary shared by the
// journal, metrics, tables and help. The records' own visit_fields functions (sample.h,
// pool_view.h, signal.h, ...) are THE field table: a field that is not visited does not exist for
// any view.
#pragma once

#include <string_view>

namespace kvpsi {

/// One row of the field table. Names are snake_case with the unit last and are never renamed.
struct Field {
  std::string_view name;
  std::string_view unit;  ///< "us", "bytes", "1" (a plain count or ratio), ...
  std::string_view help;  ///< one clause
};

}  // namespace kvpsi
