# Writes dsta/cache/src.hpp: the library's sources in one file, for programs that compile it themselves.
# usage: cmake -D OUTPUT=DIR [-D WITH_HEADERS=ON] -P cmake/header_only.cmake
#   OUTPUT: a folder to include from.   WITH_HEADERS: copy the public headers there, too.
cmake_minimum_required(VERSION 3.22)
cmake_path(GET CMAKE_CURRENT_LIST_DIR PARENT_PATH root)
if(NOT OUTPUT)
  message(FATAL_ERROR "OUTPUT is missing: cmake -D OUTPUT=DIR -P cmake/header_only.cmake")
endif()
cmake_path(ABSOLUTE_PATH OUTPUT BASE_DIRECTORY ${CMAKE_BINARY_DIR})
if(WITH_HEADERS)
  file(COPY ${root}/include/ DESTINATION ${OUTPUT})
endif()

# Appends a file of src/ to `made`; where it includes another one, that one comes first, once. The text is never a
# list: CMake splits lists at semicolons and joins what stands in brackets.
set_property(GLOBAL PROPERTY made "")
set_property(GLOBAL PROPERTY seen "")
function(append_file path)
  get_property(seen GLOBAL PROPERTY seen)
  if(path IN_LIST seen)
    return()
  endif()
  set_property(GLOBAL APPEND PROPERTY seen ${path})
  file(READ ${root}/src/${path} rest)
  string(REPLACE "#pragma once\n" "" rest "${rest}")
  string(FIND "${rest}" "\n#include \"" at)
  string(FIND "${rest}" "#include \"" first)
  while(NOT first EQUAL -1)
    if(NOT first EQUAL 0)
      if(at EQUAL -1)
        break()
      endif()
      math(EXPR at "${at} + 1")
      string(SUBSTRING "${rest}" 0 ${at} before)
      set_property(GLOBAL APPEND_STRING PROPERTY made "${before}")
      string(SUBSTRING "${rest}" ${at} -1 rest)
    endif()
    string(SUBSTRING "${rest}" 10 -1 rest)
    string(FIND "${rest}" "\"" end)
    string(SUBSTRING "${rest}" 0 ${end} included)
    math(EXPR end "${end} + 2")
    string(SUBSTRING "${rest}" ${end} -1 rest)
    append_file(${included})
    string(FIND "${rest}" "\n#include \"" at)
    string(FIND "${rest}" "#include \"" first)
  endwhile()
  set_property(GLOBAL APPEND_STRING PROPERTY made "${rest}\n")
endfunction()

file(GLOB_RECURSE sources RELATIVE ${root}/src ${root}/src/*.cpp)
foreach(source IN LISTS sources)
  append_file(${source})
endforeach()
get_property(made GLOBAL PROPERTY made)
file(READ ${root}/LICENSE license)
string(STRIP "${license}" license)
string(REPLACE "\n" "\n// " license "// ${license}")
string(REPLACE "// \n" "//\n" license "${license}")
file(CONFIGURE OUTPUT ${OUTPUT}/dsta/cache/src.hpp.new @ONLY CONTENT [[
// The sources of dsta::cache in one file, for programs that do not link the library. Include it in one source file of
// the program. It needs hiredis and fmt; DSTA_CACHE_HAS_TLS (OpenSSL) and DSTA_CACHE_WITH_ZSTD (zstd), defined before
// it, add encrypted connections and compression.
//
@license@
#pragma once
#pragma GCC system_header
@made@]])
file(COPY_FILE ${OUTPUT}/dsta/cache/src.hpp.new ${OUTPUT}/dsta/cache/src.hpp ONLY_IF_DIFFERENT)
file(REMOVE ${OUTPUT}/dsta/cache/src.hpp.new)
