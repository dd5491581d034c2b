//! The losses against their definitions, in double precision and without the library, and the
//! gradients against central differences of these; and what goes wrong.

use decorr::{
    barlow_twins_loss, variance_covariance_loss, vicreg_loss, BarlowTwinsOptions, ErrorKind,
    Execution, Generator, Matrix, MatrixMut, Regularizer, Relaxed, VicregOptions,
};

const N: usize = 7;
const D: usize = 5;

fn numbers(phase: f64) -> Vec<f64> {
    (0..N * D)
        .map(|i| (1.7 * i as f64 + phase).sin() + 0.1 * phase)
        .collect()
}

fn column(z: &[f64], j: usize) -> Vec<f64> {
    let mean = (0..N).map(|i| z[i * D + j]).sum::<f64>() / N as f64;
    (0..N).map(|i| z[i * D + j] - mean).collect()
}

fn dot(x: &[f64], y: &[f64]) -> f64 {
    x.iter().zip(y).map(|(a, b)| a * b).sum()
}

/// R of a d x d matrix: the squares off the diagonal, or of the sums of its wrapped diagonals after
/// permutation and signs.
fn regularize(matrix: impl Fn(usize, usize) -> f64, regularizer: &Regularizer) -> f64 {
    match regularizer {
        Regularizer::Exact => (0..D * D)
            .filter(|k| k / D != k % D)
            .map(|k| matrix(k / D, k % D).powi(2))
            .sum(),
        Regularizer::Relaxed(relaxed) => {
            let sign = |signs: &[i8], j: usize| signs.get(j).map_or(1.0, |&s| f64::from(s));
            let place = |j: usize| relaxed.permutation.get(j).map_or(j, |&p| p as usize);
            let lag = |i: usize| -> f64 {
                (0..D)
                    .map(|j| (place(j), place((j + i) % D)))
                    .map(|(j, k)| {
                        sign(&relaxed.signs_a, j) * sign(&relaxed.signs_b, k) * matrix(j, k)
                    })
                    .sum()
            };
            (1..D).map(|i| lag(i).abs().powi(relaxed.exponent)).sum()
        }
    }
}

fn naive_barlow_twins(
    a: &[f64],
    b: &[f64],
    options: &BarlowTwinsOptions,
    regularizer: &Regularizer,
) -> f64 {
    let standardized = |z: &[f64], j: usize| -> Vec<f64> {
        let x = column(z, j);
        let deviation = (dot(&x, &x) / N as f64 + options.epsilon).sqrt();
        x.iter().map(|v| v / deviation).collect()
    };
    let c = |j: usize, k: usize| dot(&standardized(a, j), &standardized(b, k)) / N as f64;
    let diagonal: f64 = (0..D).map(|j| (1.0 - c(j, j)).powi(2)).sum();
    options.scale * (diagonal + options.lambda * regularize(c, regularizer))
}

fn naive_variance_covariance(z: &[f64], options: &VicregOptions) -> f64 {
    let k = |i: usize, j: usize| dot(&column(z, i), &column(z, j)) / (N - 1) as f64;
    let hinge: f64 = (0..D)
        .map(|j| (options.gamma - (k(j, j) + options.epsilon).sqrt()).max(0.0))
        .sum();
    let covariance = regularize(k, &Regularizer::Exact) / D as f64;
    options.variance * hinge / D as f64 + options.covariance * covariance
}

/// VICReg is the average of both views' variance and the sum of their covariance.
fn naive_vicreg(a: &[f64], b: &[f64], options: &VicregOptions) -> f64 {
    let halved = VicregOptions {
        variance: options.variance / 2.0,
        ..*options
    };
    let difference: f64 = a.iter().zip(b).map(|(x, y)| (x - y).powi(2)).sum();
    options.invariance * difference / (N * D) as f64
        + naive_variance_covariance(a, &halved)
        + naive_variance_covariance(b, &halved)
}

fn central_differences(z: &[f64], loss: impl Fn(&[f64]) -> f64) -> Vec<f64> {
    const STEP: f64 = 1e-5;
    let mut moved = z.to_vec();
    (0..z.len())
        .map(|i| {
            moved[i] = z[i] + STEP;
            let above = loss(&moved);
            moved[i] = z[i] - STEP;
            let below = loss(&moved);
            moved[i] = z[i];
            (above - below) / (2.0 * STEP)
        })
        .collect()
}

fn assert_close(actual: &[f64], expected: &[f64], tolerance: f64) {
    let scale = expected.iter().fold(0.0, |m: f64, x| m.max(x.abs()));
    assert!(scale > 0.0);
    for (i, (x, y)) in actual.iter().zip(expected).enumerate() {
        assert!((x - y).abs() <= tolerance * scale, "{i}: {x}, expected {y}");
    }
}

fn matrix(z: &[f64]) -> Matrix<'_, f64> {
    Matrix::new(z, N, D).unwrap()
}

fn output(gradient: &mut [f64]) -> Option<MatrixMut<'_, f64>> {
    Some(MatrixMut::new(gradient, N, D).unwrap())
}

#[test]
fn barlow_twins_is_its_definition() {
    let (a, b) = (numbers(0.0), numbers(1.0));
    let options = BarlowTwinsOptions {
        lambda: 0.3,
        scale: 2.0,
        ..Default::default()
    };
    let mut generator = Generator::new(3).unwrap();
    let signed = Relaxed {
        permutation: generator.random_permutation(D).unwrap(),
        signs_a: generator.random_signs(D).unwrap(),
        signs_b: generator.random_signs(D).unwrap(),
        ..Default::default()
    };
    let absolute = Relaxed {
        exponent: 1,
        ..Default::default()
    };
    for regularizer in [
        Regularizer::Exact,
        Regularizer::Relaxed(Relaxed::default()),
        Regularizer::Relaxed(absolute),
        Regularizer::Relaxed(signed),
    ] {
        let naive = |a: &[f64], b: &[f64]| naive_barlow_twins(a, b, &options, &regularizer);
        let (mut grad_a, mut grad_b) = (vec![0.0; N * D], vec![0.0; N * D]);
        let execution = Execution::default();
        let call = |grad_a: Option<MatrixMut<'_, f64>>, grad_b: Option<MatrixMut<'_, f64>>| {
            let (z_a, z_b) = (matrix(&a), matrix(&b));
            barlow_twins_loss(z_a, z_b, grad_a, grad_b, &options, &regularizer, &execution).unwrap()
        };
        let terms = call(output(&mut grad_a), output(&mut grad_b));
        assert_close(&[terms.value], &[naive(&a, &b)], 1e-12);
        assert_close(
            &[terms.diagonal + terms.off_diagonal],
            &[terms.value],
            1e-12,
        );
        assert_close(&grad_a, &central_differences(&a, |x| naive(x, &b)), 1e-7);
        assert_close(&grad_b, &central_differences(&b, |x| naive(&a, x)), 1e-7);
        assert_close(&[call(None, None).value], &[terms.value], 1e-12);
        let (mut only_a, mut only_b) = (vec![0.0; N * D], vec![0.0; N * D]);
        let values = [
            call(output(&mut only_a), None).value,
            call(None, output(&mut only_b)).value,
        ];
        assert_close(&values, &[terms.value; 2], 1e-12);
        assert_close(&only_a, &grad_a, 1e-12);
        assert_close(&only_b, &grad_b, 1e-12);
    }
}

#[test]
fn vicreg_is_its_definition() {
    let (a, b) = (numbers(0.0), numbers(1.0));
    let (options, execution) = (VicregOptions::default(), Execution::default());
    let (mut grad_a, mut grad_b) = (vec![0.0; N * D], vec![0.0; N * D]);
    let exact = Regularizer::default();
    let call = |grad_a: Option<MatrixMut<'_, f64>>, grad_b: Option<MatrixMut<'_, f64>>| {
        let (z_a, z_b) = (matrix(&a), matrix(&b));
        vicreg_loss(z_a, z_b, grad_a, grad_b, &options, &exact, &execution).unwrap()
    };
    let terms = call(output(&mut grad_a), output(&mut grad_b));
    assert_close(&[terms.value], &[naive_vicreg(&a, &b, &options)], 1e-12);
    let sum = terms.invariance + terms.variance + terms.covariance;
    assert_close(&[sum], &[terms.value], 1e-12);
    let expected = central_differences(&a, |x| naive_vicreg(x, &b, &options));
    assert_close(&grad_a, &expected, 1e-7);
    let expected = central_differences(&b, |x| naive_vicreg(&a, x, &options));
    assert_close(&grad_b, &expected, 1e-7);
    let mut only_b = vec![0.0; N * D];
    let alone = call(None, output(&mut only_b));
    assert_close(&[alone.value], &[terms.value], 1e-12);
    assert_close(&only_b, &grad_b, 1e-12);

    let mut grad = vec![0.0; N * D];
    let gradient = output(&mut grad);
    let terms =
        variance_covariance_loss(matrix(&a), gradient, &options, &exact, &execution).unwrap();
    let naive = |x: &[f64]| naive_variance_covariance(x, &options);
    assert_close(&[terms.value], &[naive(&a)], 1e-12);
    assert_close(&[terms.variance + terms.covariance], &[terms.value], 1e-12);
    assert_close(&grad, &central_differences(&a, naive), 1e-7);
}

#[test]
fn strides_and_floats_give_the_same() {
    let (a, b) = (numbers(0.0), numbers(1.0));
    let (options, exact) = (BarlowTwinsOptions::default(), Regularizer::Exact);
    let execution = Execution::default();
    let expected = naive_barlow_twins(&a, &b, &options, &exact);
    // Column-major, each column followed by an element that is not the matrix's.
    const COLUMN: usize = N + 1;
    let padded = |z: &[f64]| -> Vec<f32> {
        let mut result = vec![f32::NAN; D * COLUMN];
        for k in 0..N * D {
            result[k % D * COLUMN + k / D] = z[k] as f32;
        }
        result
    };
    let (a, b) = (padded(&a), padded(&b));
    let (mut grad_a, mut grad_b) = (vec![7.0_f32; D * COLUMN], vec![7.0_f32; D * COLUMN]);
    let out_a = Some(MatrixMut::with_strides(&mut grad_a, N, D, 1, COLUMN).unwrap());
    let out_b = Some(MatrixMut::with_strides(&mut grad_b, N, D, 1, COLUMN).unwrap());
    let z_a = Matrix::with_strides(&a, N, D, 1, COLUMN).unwrap();
    let z_b = Matrix::with_strides(&b, N, D, 1, COLUMN).unwrap();
    let terms = barlow_twins_loss(z_a, z_b, out_a, out_b, &options, &exact, &execution).unwrap();
    assert_close(&[terms.value], &[expected], 1e-5);
    for (k, gradient) in grad_a.iter().chain(&grad_b).enumerate() {
        assert_eq!(*gradient == 7.0, k % COLUMN == N, "element {k}");
    }
}

#[test]
fn shapes_are_checked_against_slices() {
    let z = numbers(0.0);
    let error = Matrix::new(&z, N, D + 1).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    assert_eq!(error.argument(), "data");
    assert!(error.to_string().contains("35 elements"), "{error}");
    assert!(Matrix::new(&z, usize::MAX, usize::MAX).is_err());
    assert!(Matrix::with_strides(&z, N, D, D, 1).is_ok());
    assert!(Matrix::with_strides(&z, N, D, D + 1, 1).is_err());
    assert!(Matrix::with_strides(&z, N, D, 1, N + 1).is_err());
    assert!(Matrix::with_strides(&z, 2, 2, usize::MAX, usize::MAX).is_err());
    assert!(MatrixMut::new(&mut numbers(0.0), N + 1, D).is_err());
    assert!(MatrixMut::with_strides(&mut numbers(0.0), N, D, D, 2).is_err());
}

#[test]
fn the_library_says_what_is_wrong() {
    let (a, b) = (numbers(0.0), numbers(1.0));
    let (options, execution) = (BarlowTwinsOptions::default(), Execution::default());
    let error = |z_b: Matrix<'_, f64>, options: &BarlowTwinsOptions, regularizer: &Regularizer| {
        let (mut grad_a, mut grad_b) = (vec![7.0; N * D], vec![7.0; N * D]);
        let error = barlow_twins_loss(
            matrix(&a),
            z_b,
            output(&mut grad_a),
            output(&mut grad_b),
            options,
            regularizer,
            &execution,
        )
        .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument);
        assert!(grad_a.iter().chain(&grad_b).all(|g| *g == 7.0));
        error
    };
    let exact = Regularizer::Exact;
    let transposed = Matrix::new(&b, D, N).unwrap();
    let text = error(transposed, &options, &exact).to_string();
    assert!(text.starts_with("barlow_twins_loss: z_b has "), "{text}");
    assert_eq!(error(transposed, &options, &exact).argument(), "z_b");
    let empty = Matrix::new(&[], 0, 0).unwrap();
    assert_eq!(error(empty, &options, &exact).argument(), "z_b");
    let wrong = BarlowTwinsOptions {
        epsilon: -1.0,
        ..options
    };
    assert_eq!(error(matrix(&b), &wrong, &exact).argument(), "epsilon");
    let short = Relaxed {
        signs_a: vec![1; D - 1],
        ..Default::default()
    };
    let short = Regularizer::Relaxed(short);
    assert_eq!(error(matrix(&b), &options, &short).argument(), "signs_a");
    let large = Relaxed {
        block_size: usize::MAX,
        ..Default::default()
    };
    let large = Regularizer::Relaxed(large);
    assert_eq!(error(matrix(&b), &options, &large).argument(), "block_size");
}

#[test]
fn outputs_whose_elements_share_memory_are_refused() {
    let (a, b) = (numbers(0.0), numbers(1.0));
    for strides in [(0, 1), (1, 0), (1, 1), (D - 1, 1)] {
        let (mut grad_a, mut grad_b) = (vec![7.0; N * D], vec![7.0; N * D]);
        let shared = MatrixMut::with_strides(&mut grad_a, N, D, strides.0, strides.1).unwrap();
        let (options, execution) = (BarlowTwinsOptions::default(), Execution::default());
        let exact = Regularizer::Exact;
        let result = barlow_twins_loss(
            matrix(&a),
            matrix(&b),
            Some(shared),
            output(&mut grad_b),
            &options,
            &exact,
            &execution,
        );
        assert_eq!(
            result.unwrap_err().kind(),
            ErrorKind::InvalidArgument,
            "{strides:?}"
        );
    }
}

#[test]
fn generators_repeat_and_move_between_threads() {
    let draw = || {
        let mut generator = Generator::new(42).unwrap();
        (
            generator.random_signs(64).unwrap(),
            generator.random_permutation(64).unwrap(),
        )
    };
    let (signs, permutation) = draw();
    assert_eq!(
        (signs.clone(), permutation.clone()),
        std::thread::spawn(draw).join().unwrap()
    );
    assert!(signs.iter().all(|s| s.abs() == 1) && signs.contains(&1) && signs.contains(&-1));
    let mut sorted = permutation.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, (0..64).collect::<Vec<i64>>());
    assert_ne!(sorted, permutation);

    let mut generator = Generator::new(0).unwrap();
    assert_eq!(
        generator.random_signs(0).unwrap_err().kind(),
        ErrorKind::InvalidArgument
    );
    assert!(generator.random_permutation(usize::MAX).is_err());
}
