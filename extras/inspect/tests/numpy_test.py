"""Reports and gradients of decorr-inspect against NumPy: numpy_test.py PROGRAM FOLDER

writes the files that it needs into the folder, which is emptied before.
"""

import os
import pathlib
import re
import resource
import shutil
import subprocess
import sys

import numpy as np

import reference

PROGRAM, FOLDER = sys.argv[1], pathlib.Path(sys.argv[2])


def run(*arguments, **options):
    return subprocess.run(
        [PROGRAM, *map(str, arguments)], capture_output=True, text=True, timeout=60, check=False,
        **options,
    )


def report(*arguments):
    result = run(*arguments)
    assert result.returncode == 0 and not result.stderr, result
    return [re.sub(" +", " ", line).strip() for line in result.stdout.splitlines()]


def check_lines(lines, expected):
    for line in expected:
        assert line in lines, (line, lines)


def check_error(message, *arguments):
    result = run(*arguments)
    assert result.returncode == 1 and message in result.stderr, (message, result)


def test_committed_files():
    """Reference.py still makes them. Bit for bit only by the same NumPy, so numbers alone."""
    a, b = reference.two_views()
    for name, array in (("a", a), ("b", b), ("half", b[:, :5].astype("<f2"))):
        stored = np.load(reference.DATA / f"{name}.npy")
        assert stored.dtype == array.dtype and np.allclose(stored, array, rtol=1e-5), name
    stored = [np.load(reference.DATA / f"{name}.npy") for name in ("a", "b", "half")]
    for name, lines in (
        ("a_b", reference.report_lines(*stored[:2])),
        ("half", reference.report_lines(stored[2])),
    ):
        assert lines == (reference.DATA / f"expected_{name}.txt").read_text().splitlines(), name


def test_every_kind_of_file():
    a = reference.two_views()[0]
    for dtype in ("<f2", ">f2", "<f4", ">f4", "<f8", ">f8"):
        for order in ("C", "F"):
            for version in ((1, 0), (2, 0), (3, 0)):
                array = np.asarray(a, dtype=dtype, order=order)
                path = FOLDER / "kind.npy"
                reference.save(path, array, version)
                check_lines(report(path, "--draws", 1), reference.report_lines(array))


def test_every_name_of_a_type():
    """A header with another name for the type, wherever numpy.load itself takes it."""
    for dtype, names in (("f2", "e half float16"), ("f4", "f single float32"),
                         ("f8", "d double float64 float float_")):
        array = reference.two_views()[0].astype(dtype)
        for name in names.split():
            for order in ("", "<", ">", "=", "|"):
                descr, path = order + name, FOLDER / "name.npy"
                with open(path, "wb") as file:
                    np.lib.format.write_array_header_1_0(
                        file, {"descr": descr, "fortran_order": False, "shape": array.shape})
                    try:
                        stored = array.astype(descr)
                    except TypeError:
                        continue
                    file.write(stored.tobytes())
                assert np.load(path).dtype == array.dtype or order == ">", descr
                check_lines(report(path, "--draws", 1), reference.report_lines(stored))


def test_shapes():
    random = np.random.default_rng(1)
    for n, d in ((2, 1), (50, 1), (2, 2), (3, 700), (700, 3), (64, 64), (30, 600), (600, 30)):
        a, b = (random.standard_normal((n, d)) * 0.5 + 2 for _ in range(2))
        if n > 3:
            a[:, 0] += a[:, -1] * 3
        np.save(FOLDER / "shape_a.npy", a)
        np.save(FOLDER / "shape_b.npy", b)
        expected = reference.report_lines(a, b)
        if n <= 3:  # all correlations are 1 or nearly, in any order
            expected = [line for line in expected if "largest" not in line and "diag" not in line]
        check_lines(report(FOLDER / "shape_a.npy", FOLDER / "shape_b.npy", "--draws", 1), expected)


def test_extremes():
    """No overflow from squares; nothing from rounding where a feature does not vary."""
    random = np.random.default_rng(2)
    small = random.standard_normal((20, 4))
    base = reference.report_lines(small)
    ranks = [line for line in base if line.startswith("effective rank")]
    for factor in (2.0**1000, 2.0**-1000):
        np.save(FOLDER / "extreme.npy", small * factor)
        lines = report(FOLDER / "extreme.npy")
        check_lines(lines, ranks + [line for line in base if line.startswith("correlation")])
    collapsed = np.full((20, 300), 0.1)
    np.save(FOLDER / "collapsed.npy", collapsed)
    check_lines(
        report(FOLDER / "collapsed.npy"),
        [
            "duplicate rows 19",
            "collapsed features 300 of 300 have a standard deviation of at most 0.001: "
            "0, 1, 2, 3, 4, 5, 6, 7, 8, 9, ...",
            "effective rank 0 centred, 1 as it is (RankMe), of at most 20",
            "correlation no pair of features that vary",
            "exact 0",
        ],
    )
    np.save(FOLDER / "zeros.npy", np.zeros((5, 3)))
    check_lines(
        report(FOLDER / "zeros.npy"),
        ["collapsed features 3 of 3 have a standard deviation of at most 0: 0, 1, 2",
         "effective rank 0 centred, 0 as it is (RankMe), of at most 3"],
    )
    shifted = small + 1e9
    np.save(FOLDER / "shifted.npy", shifted)
    lines = reference.report_lines(shifted - 1e9)
    check_lines(
        report(FOLDER / "shifted.npy"), [line for line in lines if line.startswith("correlation")]
    )


def test_costly_parts_are_left_out():
    """Here C has 2e11 elements; what goes without it is computed."""
    z = np.random.default_rng(8).standard_normal((4, 520000))
    np.save(FOLDER / "long.npy", z)
    x = reference.standardized(z)
    exact = ((x @ x.T / 4) ** 2).sum() - z.shape[1]
    check_lines(
        report(FOLDER / "long.npy", "--draws", 1),
        ["correlation left out, as it takes 1.1e+12 multiplications: --force computes it",
         f"exact {exact:.6g}"],
    )
    os.remove(FOLDER / "long.npy")


def test_random_signs():
    """The estimates agree with the exact values, up to a few standard errors."""
    for arguments in ((), ("--block-size", 5)):
        text = "\n".join(report(reference.DATA / "a.npy", reference.DATA / "b.npy", "--draws", 2000,
                                "--seed", 3, *arguments))
        pairs = re.findall(
            r"exact (\S+)\nwith random signs (\S+), standard error (\S+), draws 2000", text
        )
        for name in ("barlow_twins", "vicreg"):
            pairs += re.findall(
                rf"{name}_exact (\S+) =.*\n(?:.*\n)?{name}_random_signs (\S+) =.*standard error (\S+)",
                text,
            )
        assert len(pairs) == 3, text
        for exact, mean, error in pairs:
            assert float(error) < 0.05 * float(mean)
            assert abs(float(mean) - float(exact)) < 4 * float(error), (exact, mean, error)


def test_standard_error_of_collapsed():
    """Of the term that is drawn, not of the total, in which that is below rounding."""
    random = np.random.default_rng(9)
    for name in "ab":
        np.save(FOLDER / f"tiny_{name}.npy", 0.1 + 1e-6 * random.standard_normal((30, 6)))
    a, b = FOLDER / "tiny_a.npy", FOLDER / "tiny_b.npy"
    found = 0
    for files in ([a], [a, b]):
        for line in report(*files, "--draws", 400):
            match = re.search(r"random_signs .* \+ \S+ (\S+); standard error (\S+)$", line)
            if match:
                found += 1
                mean, error = map(float, match.groups())
                assert 0.001 * mean < error < 0.2 * mean, line
    assert found == 3


def test_nan_has_no_sign():
    np.save(FOLDER / "large.npy", np.full((20, 6), 1e308))
    text = "\n".join(report(FOLDER / "large.npy"))
    assert "-nan" not in text, text


def numerical_gradient(loss, views, k):
    """Along a random direction, of the sum of the loss's terms."""
    step = 1e-6
    direction = np.random.default_rng(4).standard_normal(views[k].shape)
    shifted = []
    for sign in (1, -1):
        moved = list(views)
        moved[k] = views[k] + sign * step * direction
        shifted.append(sum(loss(*moved).values()))
    return direction, (shifted[0] - shifted[1]) / (2 * step)


def check_gradients(loss, views, folder, *arguments):
    paths = []
    for k, view in enumerate(views):
        paths.append(FOLDER / f"view_{k}.npy")
        np.save(paths[-1], view)
    lines = report(*paths, "--output", folder, "--no-pictures", *arguments)
    names = ("gradient_a.npy", "gradient_b.npy")[: len(views)]
    assert sorted(os.listdir(folder)) == sorted(names)
    doubles = [view.astype(np.float64) for view in views]
    for k, (name, view) in enumerate(zip(names, views)):
        gradient = np.load(folder / name)
        assert gradient.dtype == view.dtype and gradient.shape == view.shape, name
        assert gradient.flags.f_contiguous == view.flags.f_contiguous, name
        direction, slope = numerical_gradient(loss, doubles, k)
        accuracy = {2: 1e-2, 4: 1e-5, 8: 1e-6}[view.dtype.itemsize]
        found = (gradient * direction).sum()
        assert abs(found - slope) < accuracy * np.abs(gradient * direction).sum(), (found, slope)
    shutil.rmtree(folder)
    return lines


def test_gradients():
    a, b = reference.two_views()
    b = b.astype(np.float64)
    barlow, vicreg, one = (
        reference.barlow_twins, reference.vicreg, reference.variance_covariance
    )
    a = a.astype(np.float64)
    a[:, 7] = b[:, 7]
    folder = FOLDER / "gradients"
    for dtype in ("<f8", ">f8", "<f4", ">f4", "<f2"):
        views = a.astype(dtype), np.asfortranarray(b.astype(dtype))
        check_gradients(barlow, views, folder)
        check_gradients(vicreg, views, folder, "--loss", "vicreg_exact")
        check_gradients(one, views[:1], folder)
    # With blocks of one feature random signs are exact.
    check_gradients(barlow, (a, b), folder, "--loss", "barlow_twins_random_signs",
                    "--block-size", 1, "--seed", 5)


def test_published_sizes():
    random = np.random.default_rng(6)
    for d in (2048, 8192):
        for name in "ab":
            np.save(FOLDER / f"published_{name}.npy", random.standard_normal((8, d), np.float32))
        lines = report(FOLDER / "published_a.npy", FOLDER / "published_b.npy", "--draws", 2)
        for name in ("barlow_twins_exact_solo_learn", "barlow_twins_relaxed", "vicreg_relaxed"):
            assert any(line.startswith(f"{name}_{d} ") for line in lines), (name, lines)
        terms = {line.split()[0]: line.split() for line in lines if " = " in line}
        scale = {2048: 0.1, 8192: 0.024}[d]
        ratio = float(terms[f"barlow_twins_exact_solo_learn_{d}"][1]) / float(
            terms["barlow_twins_exact"][1]
        )
        assert abs(ratio / scale - 1) < 1e-4, ratio


def test_pictures():
    """A script of gnuplot's for each, whether gnuplot is there or not; of at most 1024 pixels."""
    folder = FOLDER / "pictures"
    random = np.random.default_rng(7)
    for d, shown in ((3, 3), (1024, 1024), (1500, 750), (2600, 867)):
        np.save(FOLDER / "wide.npy", random.standard_normal((4, d)))
        report(FOLDER / "wide.npy", "--output", folder, "--draws", 1)
        script = (folder / "correlation_a.gnuplot").read_text()
        rows = script.split("EOD\n")[1].split("\nEOD")[0].splitlines()
        pixels = np.array([row.split() for row in rows[:shown]], dtype=float)
        assert pixels.shape == (shown, shown)
        c = reference.correlation(*2 * [np.load(FOLDER / "wide.npy")])
        if d == 3:
            assert np.allclose(pixels, c, atol=6e-4)
        if d == 1500:
            assert np.allclose(pixels[5, 9], np.abs(c[10:12, 18:20]).mean(), atol=6e-4)
            assert np.allclose(pixels[5, 5], np.abs(c[10, 11]), atol=6e-4)


def test_inputs_are_never_overwritten():
    folder = FOLDER / "inputs"
    folder.mkdir()
    a = reference.two_views()[0]
    for name in ("gradient_a.npy", "gradient_b.npy", "correlation_a.gnuplot", "correlation_a_b.png"):
        path = folder / name
        with open(path, "wb") as file:
            np.save(file, a)
        before = path.read_bytes()
        os.symlink(path, FOLDER / "symbolic_link.npy")
        os.link(path, FOLDER / "hard_link.npy")
        for inputs in (
            [path], [FOLDER / "symbolic_link.npy"], [FOLDER / "hard_link.npy", path],
            [reference.DATA / "a.npy", path],
        ):
            check_error("is an input file", *inputs, "--output", folder)
            assert path.read_bytes() == before
        os.remove(FOLDER / "symbolic_link.npy")
        os.remove(FOLDER / "hard_link.npy")
        os.remove(path)
    assert not os.listdir(folder)
    check_error("cannot be made a folder", reference.DATA / "a.npy", "--output",
                reference.DATA / "half.npy")


def test_control_characters():
    """In no way from a name or an argument to the terminal."""
    name = "\x1b]0;title\x07\n\x9b31m\u00e9"
    folder = FOLDER / name
    folder.mkdir()
    path = folder / "a.npy"
    shutil.copy(reference.DATA / "a.npy", path)
    (folder / "text.npy").write_text("text")
    results = [
        run(path, "--output", folder / name, "--draws", 1),
        run(folder / "text.npy"), run(path, path, name), run(path, f"--{name}"),
        run(path, "--draws", name), run(path, "--memory", name), run(path, "--memory", 1e-9),
        run(path, "--output", path), run(path, "--output", folder, "--loss", name),
        run(path, "--output", folder / name, "--no-pictures"), run(folder / "none"),
    ]
    for k, result in enumerate(results):
        text = result.stdout + result.stderr
        assert result.returncode == (0 if k in (0, 9) else 1), result
        assert "]0;title??" in text and text.replace("\n", "").isprintable(), result
        assert "\n\x9b" not in text and "title\n" not in text, result
    assert f"A: {FOLDER}/?]0;title????31m\u00e9/a.npy\n" in results[0].stdout, results[0]
    shutil.rmtree(folder)


def test_numbers_of_options():
    """None is wrapped around, clamped, or taken for octal."""
    a_file = reference.DATA / "a.npy"
    beyond = ("-1", "x", "", "nan", "inf", "1e999", "99999999999999999999", "-9223372036854775809")
    for option, others in (
        ("--seed", ("1.5", "1e3", "1x", "0x10", "18446744073709551616", "-18446744073709551615")),
        ("--draws", ("0", "1.5", "1e3", "1000001", "4294967297", "18446744073709551617")),
        ("--threads", ("0", "1.5", "1e3", "1025", "4294967297", "18446744073709551617")),
        ("--block-size", ("1.5", "1e1", "13", "4294967297", "18446744073709551617")),
        ("--memory", ("-nan", "-inf", "-1e-9", "1e9", "1x")),
        ("--collapsed-below", ("-nan", "-inf", "-1e-9", "1e9", "1x")),
    ):
        for value in beyond + others:
            check_error(f"{option}", a_file, option, value)
            check_error(f"{option}", a_file, f"{option}={value}")
    check_error("--seed: is -1, expected a whole number from 0 to 18446744073709551615",
                a_file, "--seed", -1)
    largest = 2**64 - 1
    for option, one, other in (
        ("--seed", "010", 10), ("--seed", 0, "00"), ("--draws", "010", 10),
        ("--block-size", "010", 10), ("--threads", "01", 1),
    ):
        assert report(a_file, option, one) == report(a_file, option, other), option
    for one, other in ((0, largest), (largest - 1, largest), (8, 10)):
        assert report(a_file, "--seed", one) != report(a_file, "--seed", other)


def test_out_of_memory():
    """Wherever it happens, the message names the files."""
    def limited(megabytes, *arguments):
        limit = megabytes << 20
        return run(*arguments, preexec_fn=lambda: resource.setrlimit(
            resource.RLIMIT_AS, (limit, limit)))

    if limited(80, "--help").returncode != 0:
        print("test_out_of_memory skipped: the program does not start in 80 MiB (sanitizers)")
        return
    path = FOLDER / "few_rows.npy"
    with open(path, "wb") as file:
        np.lib.format.write_array_header_1_0(
            file, {"descr": "<f2", "fortran_order": False, "shape": (2, 2 * 10**6)}
        )
        file.truncate(file.tell() + 8 * 10**6)
    reports = set()
    for files in ([path], [path, path]):
        for megabytes in (80, 120, 160, 200, 240):
            result = limited(megabytes, *files, "--draws", 1)
            message = f"decorr-inspect: {' and '.join(map(str, files))}: out of memory"
            assert result.returncode == 1 and result.stderr.startswith(message), result
            assert not result.stdout or result.stdout.endswith("\n"), result
            reports.add(result.stdout)
    assert len(reports) > 2, reports
    # What the rows of signs and spectra take is counted: measured, it is 0.35 GB.
    check_error("in double takes 0.328 GiB", path, "--memory", 0.3)
    os.remove(path)


def test_refused_files():
    a = reference.two_views()[0]
    for array, message in (
        (a.astype(np.complex64), "complex"), (a > 0, "booleans"), (a.astype("U8"), "strings"),
        (a.astype("S8"), "strings"), (a.astype(object), "pickle"),
        (a.astype(np.uint8), "integers"), (a.astype(np.longdouble), "long double"),
        (np.zeros((3, 3), "V2"), "bfloat16"), (np.zeros((3, 3), "M8[s]"), "dates"),
        (np.zeros((3, 3), [("x", "f4"), ("y", "f4")]), "structured"),
        (a[0], "1 dimension"), (a[0, 0], "0 dimensions"), (a.reshape(40, 3, 4), "3 dimensions"),
        (a[:0], "at least 1 row"), (a[:, :0], "at least 1 row"), (a[:1], "at least 2"),
    ):
        np.save(FOLDER / "refused.npy", array, allow_pickle=True)
        check_error(message, FOLDER / "refused.npy")
    a_file = reference.DATA / "a.npy"
    check_error("no such file", a_file, "")
    check_error("--output: is empty", a_file, "--output", "")
    check_error("was not expected", a_file, a_file, a_file)
    check_error("not_finite.npy: 2 NaN", *2 * [reference.DATA / "not_finite.npy"])
    path = FOLDER / "cut.npy"
    np.save(path, a)
    whole = path.read_bytes()
    for length in (0, 1, 5, 6, 8, 9, 10, 50, 127, 128, len(whole) - 1):
        path.write_bytes(whole[:length])
        check_error(f"{path}: ", path)
    path.write_bytes(whole + b"\0")
    check_error("oversized", path)
    np.savez(FOLDER / "archive.npz", a)
    check_error("zip archive", FOLDER / "archive.npz")
    os.mkfifo(FOLDER / "pipe")
    check_error("is a pipe or a device", FOLDER / "pipe")
    # A file that takes no disk space, whose header is right.
    with open(path, "wb") as file:
        np.lib.format.write_array_header_1_0(
            file, {"descr": "<f4", "fortran_order": False, "shape": (1 << 30, 1 << 10)}
        )
        file.truncate(file.tell() + (1 << 42))
    check_error("GiB of memory", path)
    os.remove(path)


def main():
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    tests = [test for name, test in globals().items() if name.startswith("test_")]
    for test in tests:
        test()
    print(f"{len(tests)} tests passed")


main()
