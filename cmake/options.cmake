# SPDX-License-Identifier: MIT
#
# Everything a person can choose at configure time, and the defaults.
# The cache folder is outside the build folder, so that deleting build/ never costs a download;
# scripts/fetch.sh fills it and uses the same rule for its place.
option(KVPSI_LLAMA "Build the llama.cpp engine and what needs it" ON)
option(KVPSI_SERVER "Build kvpsi-server and a stock llama-server (8 minutes on 2 cores)" OFF)
option(KVPSI_TESTS "Build the tests" ON)
option(KVPSI_FUZZ "Build the libFuzzer targets of tests/fuzz (needs clang)" OFF)
option(KVPSI_WERROR "Turn warnings in our own sources into errors" OFF)
option(KVPSI_CCACHE "Compile through ccache where it is installed" ON)
set(KVPSI_SANITIZE "" CACHE STRING "Sanitizers: empty, 'address,undefined' or 'thread'")

if(DEFINED ENV{KVPSI_CACHE})
  set(kvpsi_cache_default "$ENV{KVPSI_CACHE}")
elseif(DEFINED ENV{XDG_CACHE_HOME})
  set(kvpsi_cache_default "$ENV{XDG_CACHE_HOME}/kvpsi")
else()
  set(kvpsi_cache_default "$ENV{HOME}/.cache/kvpsi")
endif()
set(KVPSI_CACHE "${kvpsi_cache_default}" CACHE PATH "Where scripts/fetch.sh keeps downloads")
set(KVPSI_LLAMA_SOURCE_DIR "${KVPSI_CACHE}/llama.cpp-0.3.36" CACHE PATH "The llama.cpp tree to use")
set(KVPSI_TEST_MODEL "${KVPSI_CACHE}/models/SmolLM2-135M-Instruct.Q4_1.gguf" CACHE FILEPATH
    "The model the tests load")
set(KVPSI_GEMMA_MODEL "${KVPSI_CACHE}/models/gemma-3-270m-q4_k_m.gguf" CACHE FILEPATH
    "A sliding-window model; where it is absent, its tests are skipped")

if(KVPSI_SERVER AND NOT KVPSI_LLAMA)
  message(FATAL_ERROR "KVPSI_SERVER needs the engine: leave KVPSI_LLAMA on.")
endif()

if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "Build type" FORCE)
endif()
string(TOUPPER "${CMAKE_BUILD_TYPE}" KVPSI_BUILD_TYPE_UPPER)

set(kvpsi_sanitize_allowed "" "address" "undefined" "address,undefined" "thread")
if(NOT KVPSI_SANITIZE IN_LIST kvpsi_sanitize_allowed AND NOT KVPSI_SANITIZE STREQUAL "")
  message(FATAL_ERROR "KVPSI_SANITIZE='${KVPSI_SANITIZE}' is unknown: use 'address,undefined' or "
                      "'thread'.")
endif()
if(KVPSI_FUZZ AND NOT CMAKE_CXX_COMPILER_ID MATCHES "Clang")
  message(FATAL_ERROR "KVPSI_FUZZ needs clang: configure with the preset 'fuzz' or "
                      "-DCMAKE_CXX_COMPILER=clang++-19.")
endif()

set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE OFF)
