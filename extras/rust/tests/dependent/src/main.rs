//! Starts, and computes a loss.

use decorr::{barlow_twins_loss, BarlowTwinsOptions, Execution, Matrix, Regularizer};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let z = [1.0_f32, 2.0, 0.0, 1.0, 3.0, 1.5];
    let view = || Matrix::new(&z, 3, 2);
    let terms = barlow_twins_loss(
        view()?,
        view()?,
        None,
        None,
        &BarlowTwinsOptions::default(),
        &Regularizer::default(),
        &Execution::default(),
    )?;
    assert!(terms.value > 0.0 && terms.value.is_finite());
    Ok(())
}
