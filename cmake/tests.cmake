# SPDX-License-Identifier: MIT
#
# What is a test: tests/unit/<folder>/*_test.cpp is the executable unit_<folder>, tests/property,
# tests/fault and their like are one executable each, tests/cli/*.t are text cases of the command
# line, tests/bench_micro/*.cpp are Google Benchmarks, tests/preload/*.cpp faults for LD_PRELOAD,
# tests/fuzz/*_fuzz.cpp libFuzzer targets.
# tests/server/*_test.py drive a governed llama-server, where KVPSI_SERVER is on.
# Labels: unit property fault sim issues golden cli micro tidy fuzz server, and `engine` on top for
# what loads a model. Run a part with `ctest -L unit`.
if(KVPSI_FUZZ)
  include(tests_fuzz)
endif()
if(NOT KVPSI_TESTS)
  return()
endif()

find_package(Python3 REQUIRED COMPONENTS Interpreter)
find_package(GTest REQUIRED)
find_library(KVPSI_RAPIDCHECK_LIBRARY rapidcheck REQUIRED)
find_path(KVPSI_RAPIDCHECK_INCLUDE_DIR rapidcheck/gtest.h REQUIRED)
mark_as_advanced(KVPSI_RAPIDCHECK_LIBRARY KVPSI_RAPIDCHECK_INCLUDE_DIR)
include(GoogleTest)

set(KVPSI_PROGRAM "${CMAKE_BINARY_DIR}/bin/kvpsi")

file(GLOB support_files CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/tests/support/*.cpp")
add_library(kvpsi_test_common INTERFACE)
target_link_libraries(kvpsi_test_common INTERFACE
    ${KVPSI_LIBRARIES} GTest::gtest GTest::gmock "${KVPSI_RAPIDCHECK_LIBRARY}")
target_include_directories(kvpsi_test_common INTERFACE
    "${CMAKE_SOURCE_DIR}/tests" "${CMAKE_SOURCE_DIR}/src")
target_include_directories(kvpsi_test_common SYSTEM INTERFACE "${KVPSI_RAPIDCHECK_INCLUDE_DIR}")
target_compile_definitions(kvpsi_test_common INTERFACE
    "KVPSI_SOURCE_DIR=\"${CMAKE_SOURCE_DIR}\""
    "KVPSI_TEST_MODEL=\"${KVPSI_TEST_MODEL}\""
    "KVPSI_GEMMA_MODEL=\"${KVPSI_GEMMA_MODEL}\""
    "KVPSI_BINARY=\"${KVPSI_PROGRAM}\""
    "KVPSI_PRELOAD_DIR=\"${CMAKE_BINARY_DIR}/tests/preload\"")
if(support_files)
  add_library(kvpsi_test_support STATIC ${support_files})
  target_link_libraries(kvpsi_test_support PUBLIC kvpsi_test_common PRIVATE kvpsi_test_flags)
endif()

# kvpsi_add_gtest(<name> <label> <engine> <files>...): one executable of GoogleTests, each case its
# own ctest entry. A case that calls GTEST_SKIP shows as skipped. With <engine> it links the engine.
function(kvpsi_add_gtest name label engine)
  add_executable(${name} ${ARGN})
  target_link_libraries(${name} PRIVATE kvpsi_test_flags)
  # What is tested is optimised as it ships; the tests are not, which halves their compile time.
  target_compile_options(${name} PRIVATE -O0)
  if(engine AND KVPSI_ENGINE_LIBRARIES)
    target_link_libraries(${name} PRIVATE ${KVPSI_ENGINE_LIBRARIES})
    target_include_directories(${name} SYSTEM PRIVATE
        "${KVPSI_LLAMA_SOURCE_DIR}/include" "${KVPSI_LLAMA_SOURCE_DIR}/src"
        "${KVPSI_LLAMA_SOURCE_DIR}/ggml/include" "${KVPSI_LLAMA_SOURCE_DIR}/ggml/src")
    target_compile_definitions(${name} PRIVATE KVPSI_LLAMA=1)
    list(APPEND label engine)
  elseif(NOT TARGET kvpsi_cli)
    target_compile_definitions(${name} PRIVATE KVPSI_LLAMA=0)
  endif()
  if(TARGET kvpsi_test_support)
    target_link_libraries(${name} PRIVATE kvpsi_test_support)
  endif()
  target_link_libraries(${name} PRIVATE kvpsi_test_common GTest::gtest_main)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/tests")
  # ctest replaces the list separator inside a property, hence the escaped one.
  string(REPLACE ";" "\\;" label "${label}")
  set(serial FALSE)
  if(label MATCHES "fault")
    set(serial TRUE)
  endif()
  gtest_discover_tests(${name} TEST_PREFIX "${name}." DISCOVERY_MODE PRE_TEST
      DISCOVERY_TIMEOUT 60 NO_PRETTY_VALUES
      PROPERTIES LABELS "${label}" TIMEOUT 300 RUN_SERIAL ${serial})
endfunction()

# Folders whose tests start the program; the build then brings it along.
set(kvpsi_program_users unit_bench unit_cli fault)

foreach(folder IN LISTS KVPSI_FOLDERS)
  file(GLOB files CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/tests/unit/${folder}/*_test.cpp")
  if(NOT files OR (folder STREQUAL "llama" AND NOT KVPSI_LLAMA))
    continue()
  endif()
  string(REGEX MATCH "^(llama|cli)$" engine "${folder}")
  kvpsi_add_gtest(unit_${folder} unit "${engine}" ${files})
endforeach()

foreach(kind IN ITEMS property fault sim issues golden)
  file(GLOB files CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/tests/${kind}/*_test.cpp")
  if(files)
    kvpsi_add_gtest(${kind} ${kind} ON ${files})
  endif()
endforeach()

# tests/preload/*.cpp are shared objects that make system calls of the real program fail: a test
# names one in LD_PRELOAD for the child it starts.
file(GLOB preload_files CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/tests/preload/*.cpp")
foreach(file IN LISTS preload_files)
  cmake_path(GET file STEM stem)
  add_library(preload_${stem} MODULE "${file}")
  target_include_directories(preload_${stem} PRIVATE "${CMAKE_SOURCE_DIR}/src")
  target_link_libraries(preload_${stem} PRIVATE kvpsi_test_flags ${CMAKE_DL_LIBS})
  set_target_properties(preload_${stem} PROPERTIES
      PREFIX "" LIBRARY_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/tests/preload")
  add_dependencies(fault preload_${stem})
endforeach()

foreach(name IN LISTS kvpsi_program_users)
  if(TARGET ${name} AND TARGET kvpsi)
    add_dependencies(${name} kvpsi)
  endif()
endforeach()

file(GLOB micro_files CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/tests/bench_micro/*.cpp")
if(micro_files)
  find_package(benchmark REQUIRED)
  foreach(file IN LISTS micro_files)
    cmake_path(GET file STEM stem)
    add_executable(micro_${stem} "${file}")
    target_link_libraries(micro_${stem} PRIVATE
        kvpsi_test_flags ${KVPSI_ENGINE_LIBRARIES} kvpsi_test_common
        benchmark::benchmark benchmark::benchmark_main)
    set_target_properties(micro_${stem} PROPERTIES
        RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/tests")
    add_test(NAME micro.${stem} COMMAND micro_${stem} --benchmark_min_time=0.01)
    set_tests_properties(micro.${stem} PROPERTIES LABELS micro TIMEOUT 120)
  endforeach()
endif()

# Text cases need the program; each file of cases is one ctest entry.
file(GLOB case_files CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/tests/cli/*.t")
if(TARGET kvpsi)
  foreach(file IN LISTS case_files)
    cmake_path(GET file STEM stem)
    add_test(NAME cli.${stem}
             COMMAND Python3::Interpreter "${CMAKE_SOURCE_DIR}/tests/cli/run_cases.py"
                     --program "${KVPSI_PROGRAM}" --model "${KVPSI_TEST_MODEL}"
                     --gemma "${KVPSI_GEMMA_MODEL}"
                     --llama $<BOOL:${KVPSI_LLAMA}> "${file}")
    set_tests_properties(cli.${stem} PROPERTIES LABELS cli TIMEOUT 300 SKIP_RETURN_CODE 77)
  endforeach()
  # Governed runs see each other: those of other tests would be counted too.
  set_tests_properties(cli.status PROPERTIES RUN_SERIAL TRUE)
endif()

# A governed llama-server beside a stock one, asked over HTTP. One at a time: they measure memory.
file(GLOB server_tests CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/tests/server/*_test.py")
if(KVPSI_SERVER)
  foreach(file IN LISTS server_tests)
    cmake_path(GET file STEM stem)
    add_test(NAME server.${stem} COMMAND Python3::Interpreter "${file}")
    set_tests_properties(server.${stem} PROPERTIES LABELS server TIMEOUT 1200 RUN_SERIAL TRUE
        ENVIRONMENT "KVPSI=${KVPSI_PROGRAM};MODEL=${KVPSI_TEST_MODEL}")
  endforeach()
  # As long as KVPSI_SOAK_S says.
  set_tests_properties(server.soak_test PROPERTIES TIMEOUT 9000)
endif()

# The rules of the house, their own test, and the checkers of shell and layout.
set(tidy_script "${CMAKE_SOURCE_DIR}/tests/tidy/tidy_test.py")
add_test(NAME tidy.house_rules COMMAND Python3::Interpreter "${tidy_script}" "${CMAKE_SOURCE_DIR}")
foreach(tool IN ITEMS shellcheck format)
  add_test(NAME tidy.${tool}
           COMMAND Python3::Interpreter "${tidy_script}" --${tool} "${CMAKE_SOURCE_DIR}")
endforeach()
add_test(NAME tidy.self_test
         COMMAND Python3::Interpreter "${CMAKE_SOURCE_DIR}/tests/tidy/self_test.py")
set_tests_properties(tidy.house_rules tidy.shellcheck tidy.format tidy.self_test PROPERTIES
    LABELS tidy TIMEOUT 120 SKIP_RETURN_CODE 77)
