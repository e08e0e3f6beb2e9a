# SPDX-License-Identifier: MIT
#
# Compiler flags of our own sources. KVPSI_ASSERT does not look at NDEBUG, so that release builds
# keep their checks. dev and release use the same flags: one ccache serves both.
set(CMAKE_CXX_STANDARD 23)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -g1")

if(KVPSI_SANITIZE OR KVPSI_FUZZ)
  set(CMAKE_CXX_FLAGS_${KVPSI_BUILD_TYPE_UPPER} "-O1 -g1")
  add_compile_options(-fno-omit-frame-pointer)
endif()
if(KVPSI_SANITIZE)
  add_compile_options("-fsanitize=${KVPSI_SANITIZE}" -fno-sanitize-recover=all)
  add_link_options("-fsanitize=${KVPSI_SANITIZE}")
endif()
if(KVPSI_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()

# Warnings every source of ours is held to; tests leave out the conversion ones, where literals
# would need casts that hide what is tested.
add_library(kvpsi_test_flags INTERFACE)
target_compile_options(kvpsi_test_flags INTERFACE
    -Wall -Wextra -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual -Wformat=2
    -Wimplicit-fallthrough)
if(KVPSI_WERROR)
  target_compile_options(kvpsi_test_flags INTERFACE -Werror)
endif()

add_library(kvpsi_flags INTERFACE)
target_link_libraries(kvpsi_flags INTERFACE kvpsi_test_flags)
target_compile_options(kvpsi_flags INTERFACE -Wconversion -Wcast-qual -Wold-style-cast)
