# SPDX-License-Identifier: MIT
#
# ccache in front of every compiler call, ours and llama.cpp's.
# Paths below the source folder are hashed relative to it and the build folder is not hashed, so
# that the presets dev and release, which use the same flags, share their objects.
if(KVPSI_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  find_program(KVPSI_CCACHE_PROGRAM ccache)
  mark_as_advanced(KVPSI_CCACHE_PROGRAM)
  if(KVPSI_CCACHE_PROGRAM)
    foreach(language IN ITEMS C CXX)
      set(CMAKE_${language}_COMPILER_LAUNCHER
          env "CCACHE_BASEDIR=${CMAKE_SOURCE_DIR}" CCACHE_NOHASHDIR=1 "${KVPSI_CCACHE_PROGRAM}")
    endforeach()
  endif()
endif()
