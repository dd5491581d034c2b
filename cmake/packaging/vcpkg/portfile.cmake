# REPO and SHA512 are placeholders until there is a public release: ../README.md.
vcpkg_from_github(
    OUT_SOURCE_PATH SOURCE_PATH
    REPO OWNER/decorr
    REF "v${VERSION}"
    SHA512 0
    HEAD_REF main
)

vcpkg_check_features(
    OUT_FEATURE_OPTIONS FEATURE_OPTIONS
    FEATURES
        c      DECORR_BUILD_C
        openmp DECORR_OPENMP
)
if("c" IN_LIST FEATURES)
    vcpkg_check_linkage(ONLY_DYNAMIC_LIBRARY)
else()
    set(VCPKG_BUILD_TYPE release) # header-only
endif()

vcpkg_cmake_configure(
    SOURCE_PATH "${SOURCE_PATH}"
    OPTIONS
        ${FEATURE_OPTIONS}
        -DDECORR_BUILD_INSPECT=OFF
        -DDECORR_BUILD_TESTS=OFF
        -DDECORR_BUILD_BENCHMARKS=OFF
        -DDECORR_BUILD_EXAMPLES=OFF
        -DDECORR_WARNINGS_AS_ERRORS=OFF
    MAYBE_UNUSED_VARIABLES
        # Only of use to what is compiled.
        DECORR_OPENMP
        DECORR_WARNINGS_AS_ERRORS
)
vcpkg_cmake_install()

vcpkg_cmake_config_fixup(CONFIG_PATH share/cmake/decorr)
if("c" IN_LIST FEATURES)
    # decorrConfig.cmake also looks for it beside itself, where this puts it.
    vcpkg_cmake_config_fixup(CONFIG_PATH lib/cmake/decorr)
endif()
vcpkg_fixup_pkgconfig()

file(REMOVE_RECURSE
    "${CURRENT_PACKAGES_DIR}/debug/include"
    "${CURRENT_PACKAGES_DIR}/debug/share"
    "${CURRENT_PACKAGES_DIR}/share/doc"
)
file(INSTALL "${CMAKE_CURRENT_LIST_DIR}/usage" DESTINATION "${CURRENT_PACKAGES_DIR}/share/${PORT}")
vcpkg_install_copyright(FILE_LIST "${SOURCE_PATH}/LICENSE")
