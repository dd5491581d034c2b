//! Trains a linear encoder with Barlow Twins: two noisy views of the same samples, whose inputs are
//! strongly correlated, become features that agree between the views and not with each other.

use decorr::{
    barlow_twins_loss, BarlowTwinsOptions, Execution, Generator, Matrix, MatrixMut, Regularizer,
    Relaxed,
};
use std::error::Error;
use std::process::exit;

const SAMPLES: usize = 128;
const INPUTS: usize = 16;
const FEATURES: usize = 8;
const STEPS: usize = 300;
const LEARNING_RATE: f32 = 0.02;

/// Uniform numbers between -1 and 1, the same in every run (splitmix64; Steele et al. 2014).
struct Random(u64);

impl Random {
    fn uniform(&mut self) -> f32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^= bits >> 31;
        ((bits >> 40) as f32 / (1_u64 << 23) as f32) - 1.0
    }

    fn numbers(&mut self, count: usize) -> Vec<f32> {
        (0..count).map(|_| self.uniform()).collect()
    }
}

/// a * b, row-major, `a` with `inner` columns and `b` with `cols`.
fn product(a: &[f32], b: &[f32], inner: usize, cols: usize) -> Vec<f32> {
    let mut result = vec![0.0; a.len() / inner * cols];
    for (row, out) in a.chunks_exact(inner).zip(result.chunks_exact_mut(cols)) {
        for (factor, b_row) in row.iter().zip(b.chunks_exact(cols)) {
            for (sum, element) in out.iter_mut().zip(b_row) {
                *sum += factor * element;
            }
        }
    }
    result
}

/// weights -= rate * inputs^T * gradient: a step down the loss.
fn descend(weights: &mut [f32], inputs: &[f32], gradient: &[f32]) {
    for (x, g) in inputs
        .chunks_exact(INPUTS)
        .zip(gradient.chunks_exact(FEATURES))
    {
        for (input, row) in x.iter().zip(weights.chunks_exact_mut(FEATURES)) {
            for (weight, slope) in row.iter_mut().zip(g) {
                *weight -= LEARNING_RATE * input * slope;
            }
        }
    }
}

fn run() -> Result<bool, Box<dyn Error>> {
    println!(
        "libdecorr {}, loops for {}",
        decorr::version(),
        decorr::cpu()
    );
    let mut random = Random(1);
    let mixing = random.numbers(INPUTS * INPUTS);
    let mut weights = random.numbers(INPUTS * FEATURES);
    let mut generator = Generator::new(1)?;
    let options = BarlowTwinsOptions {
        // Features are few here, so that the diagonal does not outweigh the rest as it does in d
        // of thousands, for which the default is meant.
        lambda: 0.1,
        ..Default::default()
    };
    // Bit for bit the same in every run.
    let execution = Execution {
        planning: decorr::Planning::Estimate,
        ..Default::default()
    };

    let (mut first, mut last) = (None, 0.0);
    for step in 0..=STEPS {
        let samples = product(&random.numbers(SAMPLES * INPUTS), &mixing, INPUTS, INPUTS);
        let view = |random: &mut Random| -> Vec<f32> {
            samples.iter().map(|x| x + 0.3 * random.uniform()).collect()
        };
        let (x_a, x_b) = (view(&mut random), view(&mut random));
        let z_a = product(&x_a, &weights, INPUTS, FEATURES);
        let z_b = product(&x_b, &weights, INPUTS, FEATURES);
        let (mut grad_a, mut grad_b) = (vec![0.0; z_a.len()], vec![0.0; z_b.len()]);

        // Anew for every batch: with these the relaxed regularizer is on average the exact one.
        let regularizer = Regularizer::Relaxed(Relaxed {
            signs_a: generator.random_signs(FEATURES)?,
            signs_b: generator.random_signs(FEATURES)?,
            ..Default::default()
        });
        let z_a = Matrix::new(&z_a, SAMPLES, FEATURES)?;
        let z_b = Matrix::new(&z_b, SAMPLES, FEATURES)?;
        let out_a = MatrixMut::new(&mut grad_a, SAMPLES, FEATURES)?;
        let out_b = MatrixMut::new(&mut grad_b, SAMPLES, FEATURES)?;
        barlow_twins_loss(
            z_a,
            z_b,
            Some(out_a),
            Some(out_b),
            &options,
            &regularizer,
            &execution,
        )?;
        descend(&mut weights, &x_a, &grad_a);
        descend(&mut weights, &x_b, &grad_b);

        if step % 100 == 0 {
            let exact = Regularizer::Exact;
            let loss = barlow_twins_loss(z_a, z_b, None, None, &options, &exact, &execution)?;
            println!(
                "step {step:3}: exact loss {:.4}, diagonal {:.4}, off-diagonal {:.4}",
                loss.value, loss.diagonal, loss.off_diagonal
            );
            first.get_or_insert(loss.value);
            last = loss.value;
        }
    }
    Ok(first.map_or(false, |start| last < 0.5 * start))
}

fn main() {
    match run() {
        Ok(true) => (),
        Ok(false) => {
            eprintln!("The loss has not fallen by half");
            exit(1);
        }
        Err(error) => {
            eprintln!("{error}");
            exit(1);
        }
    }
}
