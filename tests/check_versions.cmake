# Fails unless each file of `source` that has decorr's version has this `version`.
cmake_minimum_required(VERSION 3.19)

function(expect_version file actual)
  if(NOT actual STREQUAL version)
    message(SEND_ERROR "${file} has the version \"${actual}\", expected \"${version}\"")
  endif()
endfunction()

file(READ "${source}/cmake/packaging/vcpkg/vcpkg.json" manifest)
string(JSON found GET "${manifest}" version)
expect_version(vcpkg.json "${found}")
foreach(file IN ITEMS extras/rust/Cargo.toml extras/rust/Cargo.lock
                      extras/rust/tests/dependent/Cargo.lock extras/python/pyproject.toml)
  file(READ "${source}/${file}" text)
  string(REGEX MATCH "name = \"decorr\"\nversion = \"([^\"]*)\"" found "${text}")
  expect_version(${file} "${CMAKE_MATCH_1}")
endforeach()
file(READ "${source}/cmake/packaging/debian/changelog" text)
string(REGEX MATCH "^decorr \\(([^-]*)-" found "${text}")
expect_version(cmake/packaging/debian/changelog "${CMAKE_MATCH_1}")
file(READ "${source}/CITATION.cff" text)
string(REGEX MATCH "\nversion: ([^\n]*)" found "${text}")
expect_version(CITATION.cff "${CMAKE_MATCH_1}")
# The newest version of the list of changes, below what is not released yet.
file(READ "${source}/CHANGELOG.md" text)
string(REGEX MATCH "\n## ([0-9][^ \n]*)" found "${text}")
expect_version(CHANGELOG.md "${CMAKE_MATCH_1}")
