# SPDX-License-Identifier: MIT
#
# tests/fuzz/<name>_fuzz.cpp is the libFuzzer target fuzz_<name>; its seeds are
# tests/fuzz/corpus/<name>/. Under ctest each runs a fixed number of inputs, so that a run ends;
# hunt for longer by starting the executable by hand. New inputs never go into the seed folder.
file(GLOB fuzz_files CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/tests/fuzz/*_fuzz.cpp")
foreach(file IN LISTS fuzz_files)
  cmake_path(GET file STEM stem)
  string(REGEX REPLACE "_fuzz$" "" name "${stem}")
  add_executable(fuzz_${name} "${file}")
  target_link_libraries(fuzz_${name} PRIVATE kvpsi_test_flags ${KVPSI_LIBRARIES})
  target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
  set_target_properties(fuzz_${name} PROPERTIES
      RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/tests")
  set(work "${CMAKE_BINARY_DIR}/fuzz_corpus/${name}")
  file(MAKE_DIRECTORY "${work}")
  set(seeds "${CMAKE_SOURCE_DIR}/tests/fuzz/corpus/${name}")
  if(NOT IS_DIRECTORY "${seeds}")
    set(seeds "")
  endif()
  add_test(NAME fuzz.${name} COMMAND fuzz_${name} -runs=200000 -max_total_time=60 -timeout=5
                                     "${work}" ${seeds})
  set_tests_properties(fuzz.${name} PROPERTIES LABELS fuzz TIMEOUT 180)
endforeach()
