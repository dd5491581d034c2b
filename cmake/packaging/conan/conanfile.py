import os
import re

from conan import ConanFile
from conan.errors import ConanInvalidConfiguration
from conan.tools.build import check_min_cppstd
from conan.tools.cmake import CMake, CMakeDeps, CMakeToolchain, cmake_layout
from conan.tools.files import copy, load, rmdir

required_conan_version = ">=2.0"

# The repository's directory, of which this file is in cmake/packaging/conan.
ROOT = os.path.join("..", "..", "..")


class DecorrConan(ConanFile):
    name = "decorr"
    description = (
        "Feature-decorrelation losses for self-supervised learning (Barlow Twins, VICReg, VCReg): "
        "value and gradient, exact and relaxed by Fast Fourier Transform"
    )
    license = "MIT"
    homepage = "https://arxiv.org/abs/2301.01569"
    topics = ("self-supervised-learning", "barlow-twins", "vicreg", "fft", "header-only")
    # Of the headers alone; with the C interface, configure() changes it.
    package_type = "header-library"
    settings = "os", "arch", "compiler", "build_type"
    options = {"c_interface": [True, False], "openmp": [True, False]}
    default_options = {"c_interface": False, "openmp": False}

    def set_version(self):
        header = load(self, os.path.join(self.recipe_folder, ROOT, "include/decorr/version.hpp"))
        parts = re.findall(r"#define DECORR_VERSION_(?:MAJOR|MINOR|PATCH) (\d+)", header)
        self.version = ".".join(parts)

    def export_sources(self):
        root = os.path.join(self.recipe_folder, ROOT)
        for pattern in ("CMakeLists.txt", "LICENSE", "cmake/*", "extras/CMakeLists.txt", "extras/c/*",
                        "extras/trainers/decorr/*", "include/*"):
            copy(self, pattern, root, self.export_sources_folder)

    def configure(self):
        if self.options.c_interface:
            self.package_type = "shared-library"
        else:
            self.options.rm_safe("openmp")

    def layout(self):
        cmake_layout(self)

    def requirements(self):
        self.requires("eigen/3.4.0", transitive_headers=True)
        self.requires("fftw/3.3.10", transitive_headers=True, transitive_libs=True)

    def package_id(self):
        if not self.info.options.c_interface:
            self.info.clear()

    def validate(self):
        if self.settings.get_safe("compiler.cppstd"):
            check_min_cppstd(self, 17)
        if self.options.c_interface and self.settings.os != "Linux":
            raise ConanInvalidConfiguration("decorr's C interface has been built on Linux alone")
        fftw = self.dependencies["fftw"].options
        for precision in ("single", "double"):
            if self.options.c_interface and not fftw.get_safe(f"precision_{precision}"):
                raise ConanInvalidConfiguration(
                    f"decorr's C interface needs fftw/*:precision_{precision}=True"
                )

    def generate(self):
        if not self.options.c_interface:
            return
        toolchain = CMakeToolchain(self)
        toolchain.cache_variables["DECORR_BUILD_C"] = True
        toolchain.cache_variables["DECORR_OPENMP"] = bool(self.options.openmp)
        toolchain.cache_variables["DECORR_WARNINGS_AS_ERRORS"] = False
        for part in ("INSPECT", "TESTS", "BENCHMARKS", "EXAMPLES"):
            toolchain.cache_variables[f"DECORR_BUILD_{part}"] = False
        toolchain.generate()
        CMakeDeps(self).generate()

    def build(self):
        if self.options.c_interface:
            cmake = CMake(self)
            cmake.configure()
            cmake.build()

    def package(self):
        copy(self, "LICENSE", self.source_folder, os.path.join(self.package_folder, "licenses"))
        if self.options.c_interface:
            CMake(self).install()
            # What consumers use in their place, Conan generates.
            for directory in ("share", "lib/cmake", "lib/pkgconfig"):
                rmdir(self, os.path.join(self.package_folder, directory))
        else:
            copy(
                self,
                "*",
                os.path.join(self.source_folder, "include"),
                os.path.join(self.package_folder, "include"),
            )

    def package_info(self):
        self.cpp_info.set_property("cmake_file_name", "decorr")
        # Of all components; by default it would have the name that belongs to the headers.
        self.cpp_info.set_property("cmake_target_name", "decorr::all")
        headers = self.cpp_info.components["headers"]
        headers.set_property("cmake_target_name", "decorr::decorr")
        headers.set_property("pkg_config_name", "decorr")
        headers.bindirs = []
        headers.libdirs = []
        headers.requires = ["eigen::eigen"]
        # FFTW has a library, and its recipe an option, for each scalar type.
        for precision in ("single", "double", "longdouble"):
            if self.dependencies["fftw"].options.get_safe(f"precision_{precision}"):
                headers.requires.append(f"fftw::fftwlib_{precision}")
        if self.options.c_interface:
            library = self.cpp_info.components["c"]
            library.set_property("cmake_target_name", "decorr::c")
            library.set_property("pkg_config_name", "decorr-c")
            library.libs = ["decorr"]
            library.requires = ["fftw::fftwlib_single", "fftw::fftwlib_double"]
