# SPDX-License-Identifier: MIT
#
# Libraries from the distribution. The governor itself (base to linux) links none of them; of xxHash
# it takes the header alone, which holds all of the code.
# JSON: the copy inside the llama.cpp tree when the engine is built, since two versions of one
# header in one program are a trap; Debian's otherwise.
find_package(Threads REQUIRED)
find_package(fmt REQUIRED)
find_package(CLI11 REQUIRED)
find_path(KVPSI_XXHASH_INCLUDE_DIR xxhash.h REQUIRED)
mark_as_advanced(KVPSI_XXHASH_INCLUDE_DIR)
find_path(KVPSI_BOOST_INCLUDE_DIR boost/math/distributions/students_t.hpp REQUIRED)
mark_as_advanced(KVPSI_BOOST_INCLUDE_DIR)

add_library(kvpsi_json INTERFACE)
add_library(kvpsi::json ALIAS kvpsi_json)
if(KVPSI_LLAMA)
  target_include_directories(kvpsi_json SYSTEM INTERFACE "${KVPSI_LLAMA_SOURCE_DIR}/vendor")
else()
  find_path(KVPSI_JSON_INCLUDE_DIR nlohmann/json.hpp REQUIRED)
  mark_as_advanced(KVPSI_JSON_INCLUDE_DIR)
endif()
