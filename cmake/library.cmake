# SPDX-License-Identifier: MIT
#
# One folder of src/ = one library kvpsi_<folder>, linked to every folder above it. This file says
# which outside libraries a folder may use; what is not listed here does not link.
# bench starts `kvpsi run` as a process, so nothing but the command line links the engine.

set(KVPSI_LIBRARIES "")         # every library made so far, in order, the engine left out
set(KVPSI_ENGINE_LIBRARIES "")  # kvpsi_llama, when it is built

include(wraps)

# kvpsi_glob_folder(<out> <folder>): sources and headers of a folder, without the programs' entries
# and the hooks of llama-server (server.cmake), and without the subcommands that drive the engine
# when it is not built.
function(kvpsi_glob_folder out folder)
  file(GLOB files CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/src/${folder}/*.cpp"
       "${CMAKE_SOURCE_DIR}/src/${folder}/*.h")
  list(FILTER files EXCLUDE REGEX "/src/(cli/main(_server)?|llama/server_[^/]*)\\.(cpp|h)$")
  if(NOT KVPSI_LLAMA)
    list(FILTER files EXCLUDE REGEX "/src/cli/cmd_(run|bench|serve_session)[^/]*\\.cpp$")
  endif()
  set(${out} "${files}" PARENT_SCOPE)
endfunction()

# kvpsi_link_outside(<target> <folder> <scope>): the distribution's libraries a folder may use.
function(kvpsi_link_outside target folder scope)
  set(plain_folders base model policy evict)
  if(folder MATCHES "^(govern|linux)$")
    target_link_libraries(${target} ${scope} Threads::Threads)
  elseif(NOT folder IN_LIST plain_folders)
    target_link_libraries(${target} ${scope} fmt::fmt kvpsi::json Threads::Threads)
  endif()
  if(folder STREQUAL "linux")
    target_include_directories(${target} SYSTEM PRIVATE "${KVPSI_XXHASH_INCLUDE_DIR}")
  elseif(folder STREQUAL "bench")
    target_include_directories(${target} SYSTEM ${scope} "${KVPSI_BOOST_INCLUDE_DIR}")
  elseif(folder STREQUAL "cli")
    target_link_libraries(${target} ${scope} CLI11::CLI11)
  endif()
endfunction()

# kvpsi_setup_engine(<target>): gives src/llama sight of the engine's headers, private ones too, and
# the wraps to whoever links it.
function(kvpsi_setup_engine target)
  target_include_directories(${target} SYSTEM PRIVATE
      "${KVPSI_LLAMA_SOURCE_DIR}/include" "${KVPSI_LLAMA_SOURCE_DIR}/src"
      "${KVPSI_LLAMA_SOURCE_DIR}/ggml/include" "${KVPSI_LLAMA_SOURCE_DIR}/ggml/src")
  target_link_libraries(${target} PUBLIC llama ggml)
  target_compile_definitions(${target} PRIVATE "KVPSI_LLAMA_COMMIT=\"${KVPSI_LLAMA_COMMIT}\"")
  kvpsi_wrap_functions(${target} ${KVPSI_WRAPPED_FUNCTIONS})
endfunction()

function(kvpsi_add_folder folder)
  if(folder STREQUAL "llama" AND NOT KVPSI_LLAMA)
    return()
  endif()
  kvpsi_glob_folder(files ${folder})
  if(NOT files)
    return()
  endif()
  set(target kvpsi_${folder})
  set(sources "${files}")
  list(FILTER sources INCLUDE REGEX "\\.cpp$")
  if(sources)
    set(scope PUBLIC)
    add_library(${target} STATIC ${files})
    target_link_libraries(${target} PRIVATE kvpsi_flags)
    target_compile_definitions(${target} PRIVATE "KVPSI_VERSION=\"${PROJECT_VERSION}\"")
  else()
    set(scope INTERFACE)
    add_library(${target} INTERFACE)
  endif()
  target_include_directories(${target} ${scope} "${CMAKE_SOURCE_DIR}/src")
  target_link_libraries(${target} ${scope} ${KVPSI_LIBRARIES})
  kvpsi_link_outside(${target} ${folder} ${scope})

  if(folder STREQUAL "llama")
    if(sources)
      kvpsi_setup_engine(${target})
    endif()
    set(KVPSI_ENGINE_LIBRARIES ${target} PARENT_SCOPE)
    return()
  endif()
  if(folder STREQUAL "cli")
    target_link_libraries(${target} ${scope} ${KVPSI_ENGINE_LIBRARIES})
    target_compile_definitions(${target} ${scope} KVPSI_LLAMA=$<BOOL:${KVPSI_LLAMA}>
                               PRIVATE "KVPSI_LLAMA_COMMIT=\"${KVPSI_LLAMA_COMMIT}\"")
  endif()
  set(KVPSI_LIBRARIES ${KVPSI_LIBRARIES} ${target} PARENT_SCOPE)
endfunction()

# The program. Everything but main.cpp is in kvpsi_cli, so that tests can call the subcommands.
function(kvpsi_add_program)
  file(GLOB main CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/src/cli/main.cpp")
  if(NOT main)
    return()
  endif()
  add_executable(kvpsi ${main})
  set_target_properties(kvpsi PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/bin")
  target_include_directories(kvpsi PRIVATE "${CMAKE_SOURCE_DIR}/src")
  target_compile_definitions(kvpsi PRIVATE "KVPSI_VERSION=\"${PROJECT_VERSION}\"")
  if(TARGET kvpsi_cli)
    target_link_libraries(kvpsi PRIVATE kvpsi_flags kvpsi_cli)
  else()
    target_link_libraries(kvpsi PRIVATE kvpsi_flags ${KVPSI_LIBRARIES} ${KVPSI_ENGINE_LIBRARIES})
    target_compile_definitions(kvpsi PRIVATE KVPSI_LLAMA=$<BOOL:${KVPSI_LLAMA}>)
    kvpsi_link_outside(kvpsi cli PRIVATE)
  endif()
  include(GNUInstallDirs)
  install(TARGETS kvpsi RUNTIME)
endfunction()
