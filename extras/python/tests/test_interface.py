"""The package's declarations against the C header and the compiler's layout of it, and how it finds
the library."""

import ctypes
import ctypes.util
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

import decorr
from decorr import _interface

WHICH_LIBRARY = "from decorr import _interface; print(_interface._library._name)"
SOURCES = pathlib.Path(os.environ["DECORR_TEST_SOURCES"])
PACKAGE = pathlib.Path(decorr.__file__).parent


class Declarations(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        output = subprocess.run([os.environ["DECORR_TEST_LAYOUT"]], check=True, text=True,
                                stdout=subprocess.PIPE).stdout
        cls.layout = [line.split() for line in output.splitlines()]
        header = (SOURCES / "include/decorr/c_api.h").read_text()
        cls.header = re.sub(r"//[^\n]*", "", header)

    @staticmethod
    def struct(name):
        return getattr(_interface, "_" + "".join(part.capitalize() for part in name.split("_")))

    def test_structs_have_the_compilers_layout(self):
        fields = {}
        for kind, name, *rest in self.layout:
            if kind == "struct":
                self.assertEqual(ctypes.sizeof(self.struct(name)), int(rest[0]), name)
                fields[name] = []
            elif kind == "field":
                found = getattr(self.struct(name), rest[0])
                self.assertEqual((found.offset, found.size), (int(rest[1]), int(rest[2])), rest[0])
                fields[name].append(rest[0])
        for name, names in fields.items():
            self.assertEqual([field for field, _ in self.struct(name)._fields_], names)
        declared = set(re.findall(r"typedef struct decorr_(\w+) \{", self.header))
        self.assertEqual(declared, set(fields))

    def test_constants(self):
        constants = {name: int(value) for kind, name, value, *_ in self.layout
                     if kind == "constant"}
        enumerated = {name for body in re.findall(r"enum \{([^}]*)\}", self.header)
                      for name in re.findall(r"DECORR_(\w+)", body)}
        self.assertEqual(enumerated, set(constants))
        for name, value in constants.items():
            if name.startswith("PRESET_"):
                found = _interface._PRESETS[name[len("PRESET_"):].lower()]
            elif name in ("PER_DIMENSION", "BLOCK_MEAN"):
                found = _interface._COVARIANCE_SCALINGS[name.lower()]
            elif name.startswith("GRADIENT_"):
                found = _interface._GRADIENTS[name[len("GRADIENT_"):].lower()]
            elif name in ("PAIRS", "CENTROID"):
                found = _interface._COMBINATIONS[name.lower()]
            elif name in ("ESTIMATE", "MEASURE", "PATIENT"):
                found = _interface._PLANNINGS[name.lower()]
            else:
                found = getattr(_interface, f"_{name}")
            self.assertEqual(found, value, name)

    def test_every_function_is_declared_as_in_the_header(self):
        pattern = r"DECORR_C_FUNCTION\s+([\w\s]+?\*?)\s*decorr_(\w+)\(([^)]*)\)"
        functions = {name: (result, arguments) for result, name, arguments in
                     re.findall(pattern, self.header)}
        self.assertEqual(set(functions), set(_interface._PROTOTYPES))
        c = ctypes
        scalars = {"int32_t": c.c_int32, "int64_t": c.c_int64, "uint64_t": c.c_uint64,
                   "size_t": c.c_size_t, "double": c.c_double, "decorr_status": c.c_int32}
        for name, (result, arguments) in functions.items():
            found_result, found_arguments = _interface._PROTOTYPES[name]
            expected = {"const char*": c.c_char_p, "void": None, "decorr_status": c.c_int32,
                        "int32_t": c.c_int32}[" ".join(result.split())]
            self.assertIs(found_result, expected, name)
            arguments = [" ".join(each.split()) for each in arguments.split(",")]
            if arguments == ["void"]:
                arguments = []
            self.assertEqual(len(arguments), len(found_arguments), name)
            for argument, found in zip(arguments, found_arguments):
                kind = argument.removeprefix("const ").rpartition(" ")[0]
                if kind == "char*":
                    expected = c.c_char_p
                elif argument != "int64_t* count" and kind in ("decorr_generator*", "decorr_batch*",
                                                               "int64_t*", "int8_t*"):
                    expected = c.c_void_p
                elif kind in ("decorr_generator**", "decorr_batch**"):
                    expected = c.POINTER(c.c_void_p)
                elif kind.endswith("* const*"):
                    pointed = self.struct(kind[len("decorr_"):-len("* const*")])
                    expected = c.POINTER(c.POINTER(pointed))
                elif kind.endswith("*"):
                    pointed = kind[:-1]
                    expected = c.POINTER(scalars.get(pointed) or
                                         self.struct(pointed.removeprefix("decorr_")))
                else:
                    expected = scalars[kind]
                self.assertIs(found, expected, f"{name}: {argument}")

    def test_defaults_are_the_librarys(self):
        for options, struct, name in (
                (decorr.BarlowTwinsOptions(), _interface._BarlowTwinsOptions,
                 "barlow_twins_options"),
                (decorr.VicregOptions(), _interface._VicregOptions, "vicreg_options"),
                (decorr.Exact(), _interface._Regularizer, "regularizer"),
                (decorr.Execution(), _interface._Execution, "execution")):
            default = struct()
            _interface._call(f"{name}_defaults", default, ctypes.sizeof(default))
            self.assertEqual(bytes(options._struct()), bytes(default), name)
        default = _interface._Regularizer()
        _interface._call("regularizer_defaults", default, ctypes.sizeof(default))
        default.form = _interface._RELAXED
        self.assertEqual(bytes(decorr.Relaxed()._struct()), bytes(default))

    def test_a_struct_of_another_size_is_refused(self):
        with self.assertRaisesRegex(ValueError, "options.size is 31, expected"):
            _interface._call("vicreg_options_defaults", _interface._VicregOptions(), 31)


class Finding(unittest.TestCase):
    """Each in a Python of its own, with a copy of the module."""

    def run_import(self, folder, library=None, code=WHICH_LIBRARY):
        environment = {**os.environ, "PYTHONPATH": str(folder)}
        environment.pop("DECORR_LIBRARY")
        if library is not None:
            environment["DECORR_LIBRARY"] = str(library)
        return subprocess.run([sys.executable, "-c", code], env=environment, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd="/")

    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = pathlib.Path(temporary.name) / "extras/python"
        self.folder.mkdir(parents=True)
        shutil.copytree(PACKAGE, self.folder / "decorr",
                        ignore=shutil.ignore_patterns("__pycache__", "libdecorr*"))

    def test_importing_needs_no_torch(self):
        code = ("import sys; sys.modules['torch'] = None; import decorr; "
                "assert not any(name.startswith('torch.') for name in sys.modules)")
        result = self.run_import(self.folder, os.environ["DECORR_LIBRARY"], code)
        self.assertEqual(result.returncode, 0, result.stderr)

    def test_a_missing_library_says_how_to_build_it(self):
        result = self.run_import(self.folder)
        if result.returncode == 0:
            self.skipTest(f"installed here: {result.stdout}")
        self.assertRegex(result.stderr, "ImportError: decorr: the library libdecorr could not")
        self.assertIn("cmake -B build/python", result.stderr)

    def test_a_named_file_is_the_only_one_tried(self):
        shutil.copy(os.environ["DECORR_LIBRARY"], self.folder / "libdecorr.so")
        result = self.run_import(self.folder, "/nowhere/libdecorr.so")
        self.assertRegex(result.stderr, "ImportError: .*/nowhere/libdecorr.so")

    def check_found(self, folder, file):
        file.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(os.environ["DECORR_LIBRARY"], file)
        result = self.run_import(folder)
        self.assertEqual(result.stdout.strip(), str(file), result.stderr)

    def test_beside_the_package_and_in_it(self):
        self.check_found(self.folder, self.folder / "libdecorr.so.0")
        self.check_found(self.folder, self.folder / "decorr/libdecorr.so")

    def test_of_an_installation(self):
        prefix = self.folder / "prefix"
        modules = prefix / "share/decorr/python"
        shutil.copytree(self.folder / "decorr", modules / "decorr")
        for place in ("lib/riscv64-linux-gnu/libdecorr.so.0", "lib/libdecorr.so.0"):
            self.check_found(modules, prefix / place)

    def test_build_folders_of_a_clone(self):
        root = self.folder.parents[1]
        header = root / "include/decorr/c_api.h"
        header.parent.mkdir(parents=True)
        header.touch()
        for build in ("build", "build/release", "build/python"):
            self.check_found(self.folder, root / build / "extras/c/libdecorr.so")

    def test_inspect_without_its_program(self):
        environment = {**os.environ, "PYTHONPATH": str(self.folder), "PATH": str(self.folder)}
        result = subprocess.run([sys.executable, "-m", "decorr.inspect", "a.npy"], cwd="/",
                                env=environment, text=True, stderr=subprocess.PIPE, check=False)
        self.assertEqual(result.returncode, 2)
        self.assertIn("libcli11-dev", result.stderr)
        program = self.folder / "decorr/decorr-inspect"
        program.write_text("#!/bin/sh\necho \"$@\"\nexit 3\n")
        program.chmod(0o755)
        result = subprocess.run([sys.executable, "-m", "decorr.inspect", "a.npy", "--loss", "x y"],
                                cwd="/", env={**environment, "PATH": "/bin:/usr/bin"}, text=True,
                                stdout=subprocess.PIPE, check=False)
        self.assertEqual((result.returncode, result.stdout), (3, "a.npy --loss x y\n"))

    def test_another_library(self):
        other = ctypes.util.find_library("fftw3f")
        self.assertIsNotNone(other)
        result = self.run_import(self.folder, other)
        self.assertRegex(result.stderr, f"ImportError: {other} is no libdecorr .*decorr_")

    def test_no_library_at_all(self):
        file = self.folder / "text.so"
        file.write_text("no library")
        result = self.run_import(self.folder, file)
        self.assertRegex(result.stderr, "ImportError: .*text.so")


if __name__ == "__main__":
    unittest.main()
