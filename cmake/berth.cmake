# Helpers for the rooms' CMakeLists.txt.

# berth_library(NAME SOURCES a.c b.c [LIBS other ...]): a static library with the house flags.
function(berth_library name)
  cmake_parse_arguments(A "" "" "SOURCES;LIBS" ${ARGN})
  add_library(${name} STATIC ${A_SOURCES})
  target_link_libraries(${name} PUBLIC berth_flags ${A_LIBS})
endfunction()

# berth_program(NAME SOURCES main.c ... LIBS ... [TOOL]): an executable in build/<preset>/bin, installed in bin unless it is
# a TOOL of the developers.
function(berth_program name)
  cmake_parse_arguments(A "TOOL" "" "SOURCES;LIBS" ${ARGN})
  add_executable(${name} ${A_SOURCES})
  target_link_libraries(${name} PRIVATE berth_flags ${A_LIBS})
  if(NOT A_TOOL)
    install(TARGETS ${name} RUNTIME DESTINATION bin)
  endif()
endfunction()

# berth_test(NAME SOURCES t.c ... LIBS ... [LABEL unit|contract|e2e] [TIMEOUT s]): a cmocka executable,
# registered with ctest. Default label unit, default time limit 60 s. Exit code 77 means skipped.
function(berth_test name)
  cmake_parse_arguments(A "" "LABEL;TIMEOUT" "SOURCES;LIBS" ${ARGN})
  if(NOT A_LABEL)
    set(A_LABEL unit)
  endif()
  if(NOT A_TIMEOUT)
    set(A_TIMEOUT 60)
  endif()
  add_executable(${name} ${A_SOURCES})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  target_link_libraries(${name} PRIVATE berth_flags ${A_LIBS} PkgConfig::CMOCKA)
  add_test(NAME ${name} COMMAND ${name})
  set_tests_properties(${name} PROPERTIES LABELS ${A_LABEL} TIMEOUT ${A_TIMEOUT} SKIP_RETURN_CODE 77
    ENVIRONMENT "BERTH_BIN=${CMAKE_BINARY_DIR}/bin;BERTH_SOURCE=${CMAKE_SOURCE_DIR}")
endfunction()
