# SPDX-License-Identifier: MIT
#
# kvpsi-server: llama-server's own libraries, linked with our wraps and hooks, and beside it a stock
# llama-server of the same objects, to compare with. Eight minutes on 2 cores, so only when
# KVPSI_SERVER is on. main() is ours (src/cli/main_server.cpp); it calls llama_server(), as the main
# of llama-server does.
function(kvpsi_add_server)
  file(GLOB hooks CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/src/llama/server_*.cpp"
       "${CMAKE_SOURCE_DIR}/src/llama/server_*.h")
  add_library(kvpsi_server_hooks STATIC ${hooks})
  target_link_libraries(kvpsi_server_hooks PRIVATE kvpsi_flags PUBLIC kvpsi_llama llama-server-impl)
  target_include_directories(kvpsi_server_hooks SYSTEM PRIVATE
      "${KVPSI_LLAMA_SOURCE_DIR}/tools/server" "${KVPSI_LLAMA_SOURCE_DIR}/tools/mtmd"
      "${KVPSI_LLAMA_SOURCE_DIR}/common" "${KVPSI_LLAMA_SOURCE_DIR}")
  kvpsi_wrap_functions(kvpsi_server_hooks ${KVPSI_WRAPPED_SERVER_FUNCTIONS})

  add_executable(kvpsi-server "${CMAKE_SOURCE_DIR}/src/cli/main_server.cpp")
  set_target_properties(kvpsi-server PROPERTIES
      RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/bin")
  target_compile_definitions(kvpsi-server PRIVATE "KVPSI_VERSION=\"${PROJECT_VERSION}\"")
  target_link_libraries(kvpsi-server PRIVATE kvpsi_flags kvpsi_cli kvpsi_server_hooks)
  add_dependencies(kvpsi-server llama-server)
  install(TARGETS kvpsi-server RUNTIME)
endfunction()
kvpsi_add_server()
