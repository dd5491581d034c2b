//! decorr from Rust: the losses of libdecorr and their gradients, on slices.
//!
//! What is computed is said in `decorr/c_api.h` and the C++ headers that it names; here is what
//! Rust adds. Shapes are checked against the slices. That gradients overlap neither the inputs nor
//! each other, the borrow checker sees to. Everything else the library checks, and what it says of
//! a wrong argument is in the [`Error`].

mod ffi;

use std::ffi::CStr;
use std::fmt;
use std::mem::size_of;
use std::os::raw::c_char;
use std::ptr;

/// What kind of thing went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The caller's mistake.
    InvalidArgument,
    OutOfMemory,
    /// FFTW made no plan.
    Failed,
    /// A bug of decorr's.
    Internal,
}

/// What went wrong, in the library's words: function, argument, what it is and what is expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    kind: ErrorKind,
    argument: String,
    message: String,
}

impl Error {
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The name of the argument that is wrong, or of the field of one: "z_b", "epsilon". Empty where
    /// the mistake is not one argument's.
    pub fn argument(&self) -> &str {
        &self.argument
    }

    /// `text` is what is said of the argument.
    fn invalid(argument: &str, text: &str) -> Self {
        Error {
            kind: ErrorKind::InvalidArgument,
            argument: argument.to_string(),
            message: format!("{argument}{text}"),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

pub type Result<T> = std::result::Result<T, Error>;

/// SAFETY: `text` is null-terminated.
unsafe fn to_string(text: *const c_char) -> String {
    CStr::from_ptr(text).to_string_lossy().into_owned()
}

fn check(status: i32) -> Result<()> {
    let kind = match status {
        ffi::OK => return Ok(()),
        1 => ErrorKind::InvalidArgument,
        2 => ErrorKind::OutOfMemory,
        3 => ErrorKind::Failed,
        _ => ErrorKind::Internal,
    };
    // SAFETY: the library never returns null; the texts are the thread's until its next call fails.
    let (argument, message) = unsafe {
        (
            to_string(ffi::decorr_error_argument()),
            to_string(ffi::decorr_error_message()),
        )
    };
    Err(Error {
        kind,
        argument,
        message,
    })
}

fn to_i64(what: &str, number: usize) -> Result<i64> {
    i64::try_from(number).map_err(|_| Error::invalid(what, &format!(" is {number}: too large")))
}

/// The library's version.
pub fn version() -> String {
    // SAFETY: a constant of the library.
    unsafe { to_string(ffi::decorr_version()) }
}

/// Which of its loops the library runs here: "baseline", "avx2" or "avx512".
pub fn cpu() -> String {
    // SAFETY: a constant of the library.
    unsafe { to_string(ffi::decorr_cpu()) }
}

mod sealed {
    pub trait Element {
        const TYPE: i32;
    }
    impl Element for f32 {
        const TYPE: i32 = 1;
    }
    impl Element for f64 {
        const TYPE: i32 = 2;
    }
}

/// Numbers that the losses take: `f32` and `f64`.
pub trait Element: sealed::Element + Copy {}
impl Element for f32 {}
impl Element for f64 {}

/// Where the elements of a matrix are: (i, j) at i * row_stride + j * col_stride.
#[derive(Clone, Copy, Debug)]
struct Layout {
    rows: i64,
    cols: i64,
    row_stride: i64,
    col_stride: i64,
}

impl Layout {
    fn rows(length: usize, rows: usize, cols: usize) -> Result<Self> {
        if rows.checked_mul(cols) != Some(length) {
            let text = format!(" has {length} elements, expected {rows} x {cols}");
            return Err(Error::invalid("data", &text));
        }
        Self::new(length, rows, cols, cols, 1)
    }

    fn new(
        length: usize,
        rows: usize,
        cols: usize,
        row_stride: usize,
        col_stride: usize,
    ) -> Result<Self> {
        // Of an empty matrix nothing is read; the library says what it thinks of it.
        if rows > 0 && cols > 0 {
            let last = (rows - 1)
                .checked_mul(row_stride)
                .zip((cols - 1).checked_mul(col_stride))
                .and_then(|(down, right)| down.checked_add(right));
            if !last.map_or(false, |index| index < length) {
                let text = format!(
                    " has {length} elements, which do not hold a {rows} x {cols} matrix with \
                     strides {row_stride} and {col_stride}"
                );
                return Err(Error::invalid("data", &text));
            }
        }
        Ok(Layout {
            rows: to_i64("rows", rows)?,
            cols: to_i64("cols", cols)?,
            row_stride: to_i64("row_stride", row_stride)?,
            col_stride: to_i64("col_stride", col_stride)?,
        })
    }

    fn array<T: Element, Pointer>(self, data: Pointer) -> ffi::Array<Pointer> {
        ffi::Array {
            size: size_of::<ffi::Array<Pointer>>(),
            data,
            element: T::TYPE,
            reserved: 0,
            rows: self.rows,
            cols: self.cols,
            row_stride: self.row_stride,
            col_stride: self.col_stride,
        }
    }
}

/// A matrix that is read: one row a sample, one column a feature.
#[derive(Clone, Copy, Debug)]
pub struct Matrix<'a, T> {
    data: &'a [T],
    layout: Layout,
}

impl<'a, T: Element> Matrix<'a, T> {
    /// Row after row; the slice is exactly that long.
    pub fn new(data: &'a [T], rows: usize, cols: usize) -> Result<Self> {
        let layout = Layout::rows(data.len(), rows, cols)?;
        Ok(Matrix { data, layout })
    }

    /// Element (i, j) is `data[i * row_stride + j * col_stride]`: column-major is (1, rows).
    pub fn with_strides(
        data: &'a [T],
        rows: usize,
        cols: usize,
        row_stride: usize,
        col_stride: usize,
    ) -> Result<Self> {
        let layout = Layout::new(data.len(), rows, cols, row_stride, col_stride)?;
        Ok(Matrix { data, layout })
    }

    fn input(self) -> ffi::Input {
        self.layout.array::<T, _>(self.data.as_ptr().cast())
    }
}

/// A matrix that is written. No two of its elements may share memory.
#[derive(Debug)]
pub struct MatrixMut<'a, T> {
    data: &'a mut [T],
    layout: Layout,
}

impl<'a, T: Element> MatrixMut<'a, T> {
    /// See [`Matrix::new`].
    pub fn new(data: &'a mut [T], rows: usize, cols: usize) -> Result<Self> {
        let layout = Layout::rows(data.len(), rows, cols)?;
        Ok(MatrixMut { data, layout })
    }

    /// See [`Matrix::with_strides`].
    pub fn with_strides(
        data: &'a mut [T],
        rows: usize,
        cols: usize,
        row_stride: usize,
        col_stride: usize,
    ) -> Result<Self> {
        let layout = Layout::new(data.len(), rows, cols, row_stride, col_stride)?;
        Ok(MatrixMut { data, layout })
    }

    fn output(&mut self) -> ffi::Output {
        self.layout.array::<T, _>(self.data.as_mut_ptr().cast())
    }
}

/// A struct's defaults, from the library.
fn defaults<Struct: Default>(function: ffi::Defaults<Struct>) -> Struct {
    let mut result = Struct::default();
    // SAFETY: the struct is as large as is said.
    let status = unsafe { function(&mut result, size_of::<Struct>()) };
    assert_eq!(status, ffi::OK, "libdecorr is older than this crate");
    result
}

/// `decorr_barlow_twins_options`; the defaults are the library's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BarlowTwinsOptions {
    pub lambda: f64,
    pub scale: f64,
    pub epsilon: f64,
    pub standardize: bool,
}

impl Default for BarlowTwinsOptions {
    fn default() -> Self {
        let options = defaults(ffi::decorr_barlow_twins_options_defaults);
        BarlowTwinsOptions {
            lambda: options.lambda,
            scale: options.scale,
            epsilon: options.epsilon,
            standardize: options.standardize != 0,
        }
    }
}

impl BarlowTwinsOptions {
    fn to_ffi(self) -> ffi::BarlowTwinsOptions {
        ffi::BarlowTwinsOptions {
            size: size_of::<ffi::BarlowTwinsOptions>(),
            lambda: self.lambda,
            scale: self.scale,
            epsilon: self.epsilon,
            standardize: i32::from(self.standardize),
            reserved: 0,
        }
    }
}

/// How VICReg's covariance term is scaled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CovarianceScaling {
    PerDimension = 0,
    BlockMean = 1,
}

/// `decorr_vicreg_options`; the defaults are the library's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct VicregOptions {
    pub invariance: f64,
    pub variance: f64,
    pub covariance: f64,
    pub gamma: f64,
    pub epsilon: f64,
    pub scale: f64,
    pub sum_variance: bool,
    pub covariance_scaling: CovarianceScaling,
}

impl Default for VicregOptions {
    fn default() -> Self {
        let options = defaults(ffi::decorr_vicreg_options_defaults);
        VicregOptions {
            invariance: options.invariance,
            variance: options.variance,
            covariance: options.covariance,
            gamma: options.gamma,
            epsilon: options.epsilon,
            scale: options.scale,
            sum_variance: options.sum_variance != 0,
            covariance_scaling: match options.covariance_scaling {
                0 => CovarianceScaling::PerDimension,
                _ => CovarianceScaling::BlockMean,
            },
        }
    }
}

impl VicregOptions {
    fn to_ffi(self) -> ffi::VicregOptions {
        ffi::VicregOptions {
            size: size_of::<ffi::VicregOptions>(),
            invariance: self.invariance,
            variance: self.variance,
            covariance: self.covariance,
            gamma: self.gamma,
            epsilon: self.epsilon,
            scale: self.scale,
            sum_variance: i32::from(self.sum_variance),
            covariance_scaling: self.covariance_scaling as i32,
        }
    }
}

/// The relaxed regularizer. Empty vectors: no permutation, no signs; otherwise d of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Relaxed {
    /// q, 1 or 2.
    pub exponent: i32,
    /// Features a block; 0: a single block.
    pub block_size: usize,
    /// 0 to d - 1, once each.
    pub permutation: Vec<i64>,
    /// +1 and -1.
    pub signs_a: Vec<i8>,
    pub signs_b: Vec<i8>,
}

impl Default for Relaxed {
    fn default() -> Self {
        Relaxed {
            exponent: 2,
            block_size: 0,
            permutation: Vec::new(),
            signs_a: Vec::new(),
            signs_b: Vec::new(),
        }
    }
}

/// Published weights differ between the two, but for a relaxed one with exponent 2 and random signs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Regularizer {
    #[default]
    Exact,
    Relaxed(Relaxed),
}

impl Regularizer {
    /// Points to the vectors of `self`, which outlives every use of it.
    fn to_ffi(&self) -> Result<ffi::Regularizer> {
        fn pointer<T>(elements: &[T]) -> *const T {
            if elements.is_empty() {
                ptr::null()
            } else {
                elements.as_ptr()
            }
        }
        let (form, relaxed) = match self {
            Regularizer::Exact => (0, None),
            Regularizer::Relaxed(relaxed) => (1, Some(relaxed)),
        };
        let nothing = Relaxed::default();
        let relaxed = relaxed.unwrap_or(&nothing);
        Ok(ffi::Regularizer {
            size: size_of::<ffi::Regularizer>(),
            form,
            exponent: relaxed.exponent,
            block_size: to_i64("block_size", relaxed.block_size)?,
            permutation: pointer(&relaxed.permutation),
            permutation_size: to_i64("permutation.len()", relaxed.permutation.len())?,
            signs_a: pointer(&relaxed.signs_a),
            signs_a_size: to_i64("signs_a.len()", relaxed.signs_a.len())?,
            signs_b: pointer(&relaxed.signs_b),
            signs_b_size: to_i64("signs_b.len()", relaxed.signs_b.len())?,
        })
    }
}

/// How long FFTW searches for its plans. Only `Estimate` repeats bit for bit from run to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Planning {
    Estimate = 0,
    Measure = 1,
    Patient = 2,
}

/// How a call is carried out; nothing here changes what is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Execution {
    pub threads: i32,
    pub planning: Planning,
}

impl Default for Execution {
    fn default() -> Self {
        let execution = defaults(ffi::decorr_execution_defaults);
        Execution {
            threads: execution.threads,
            planning: match execution.planning {
                0 => Planning::Estimate,
                1 => Planning::Measure,
                _ => Planning::Patient,
            },
        }
    }
}

impl Execution {
    fn to_ffi(self) -> ffi::Execution {
        ffi::Execution {
            size: size_of::<ffi::Execution>(),
            threads: self.threads,
            planning: self.planning as i32,
        }
    }
}

/// The weighted terms; `value` is their sum.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BarlowTwinsTerms {
    pub value: f64,
    pub diagonal: f64,
    pub off_diagonal: f64,
}

/// The weighted terms; `value` is their sum.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct VicregTerms {
    pub value: f64,
    pub invariance: f64,
    pub variance: f64,
    pub covariance: f64,
}

/// The weighted terms; `value` is their sum.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct VarianceCovarianceTerms {
    pub value: f64,
    pub variance: f64,
    pub covariance: f64,
}

fn pointer_or_null<T>(value: &Option<T>) -> *const T {
    value.as_ref().map_or(ptr::null(), |inner| inner)
}

/// A gradient as the library takes it.
fn output<T: Element>(gradient: Option<MatrixMut<'_, T>>) -> Option<ffi::Output> {
    gradient.map(|mut matrix| matrix.output())
}

/// A loss of two views, whose terms it leaves in `terms`.
#[allow(clippy::too_many_arguments)] // as many as the C function has
fn two_view_loss<T: Element, Options, Terms>(
    loss: ffi::TwoViewLoss<Options, Terms>,
    z_a: Matrix<'_, T>,
    z_b: Matrix<'_, T>,
    grad_a: Option<MatrixMut<'_, T>>,
    grad_b: Option<MatrixMut<'_, T>>,
    options: &Options,
    regularizer: &Regularizer,
    execution: &Execution,
    terms: &mut Terms,
) -> Result<()> {
    let regularizer = regularizer.to_ffi()?;
    let (grad_a, grad_b) = (output(grad_a), output(grad_b));
    // SAFETY: the layouts were checked against the slices, which are borrowed until the end of the
    // call, the gradients mutably.
    check(unsafe {
        loss(
            &z_a.input(),
            &z_b.input(),
            pointer_or_null(&grad_a),
            pointer_or_null(&grad_b),
            options,
            &regularizer,
            &execution.to_ffi(),
            terms,
        )
    })
}

/// Barlow Twins on raw embeddings, and its gradients with respect to them, each where there is room
/// for it: `None` leaves a view without one, as a teacher's, and what is computed for it alone is
/// not paid for. On an error they are untouched.
pub fn barlow_twins_loss<T: Element>(
    z_a: Matrix<'_, T>,
    z_b: Matrix<'_, T>,
    grad_a: Option<MatrixMut<'_, T>>,
    grad_b: Option<MatrixMut<'_, T>>,
    options: &BarlowTwinsOptions,
    regularizer: &Regularizer,
    execution: &Execution,
) -> Result<BarlowTwinsTerms> {
    let mut terms = ffi::BarlowTwinsTerms {
        size: size_of::<ffi::BarlowTwinsTerms>(),
        ..Default::default()
    };
    two_view_loss(
        ffi::decorr_barlow_twins_loss,
        z_a,
        z_b,
        grad_a,
        grad_b,
        &options.to_ffi(),
        regularizer,
        execution,
        &mut terms,
    )?;
    Ok(BarlowTwinsTerms {
        value: terms.value,
        diagonal: terms.diagonal,
        off_diagonal: terms.off_diagonal,
    })
}

/// VICReg, in the same way.
pub fn vicreg_loss<T: Element>(
    z_a: Matrix<'_, T>,
    z_b: Matrix<'_, T>,
    grad_a: Option<MatrixMut<'_, T>>,
    grad_b: Option<MatrixMut<'_, T>>,
    options: &VicregOptions,
    regularizer: &Regularizer,
    execution: &Execution,
) -> Result<VicregTerms> {
    let mut terms = ffi::VicregTerms {
        size: size_of::<ffi::VicregTerms>(),
        ..Default::default()
    };
    two_view_loss(
        ffi::decorr_vicreg_loss,
        z_a,
        z_b,
        grad_a,
        grad_b,
        &options.to_ffi(),
        regularizer,
        execution,
        &mut terms,
    )?;
    Ok(VicregTerms {
        value: terms.value,
        invariance: terms.invariance,
        variance: terms.variance,
        covariance: terms.covariance,
    })
}

/// Variance and covariance of one view. With a relaxed regularizer, `signs_a` are the view's.
pub fn variance_covariance_loss<T: Element>(
    z: Matrix<'_, T>,
    gradient: Option<MatrixMut<'_, T>>,
    options: &VicregOptions,
    regularizer: &Regularizer,
    execution: &Execution,
) -> Result<VarianceCovarianceTerms> {
    let regularizer = regularizer.to_ffi()?;
    let grad = output(gradient);
    let mut terms = ffi::VarianceCovarianceTerms {
        size: size_of::<ffi::VarianceCovarianceTerms>(),
        ..Default::default()
    };
    // SAFETY: as in two_view_loss.
    check(unsafe {
        ffi::decorr_variance_covariance_loss(
            &z.input(),
            pointer_or_null(&grad),
            &options.to_ffi(),
            &regularizer,
            &execution.to_ffi(),
            &mut terms,
        )
    })?;
    Ok(VarianceCovarianceTerms {
        value: terms.value,
        variance: terms.variance,
        covariance: terms.covariance,
    })
}

/// The library's random generator: a seed gives the same numbers on every platform.
#[derive(Debug)]
pub struct Generator(ptr::NonNull<ffi::Generator>);

// SAFETY: it is used from one thread at a time, as all that uses it takes it mutably.
unsafe impl Send for Generator {}
unsafe impl Sync for Generator {}

impl Generator {
    pub fn new(seed: u64) -> Result<Self> {
        let mut generator = ptr::null_mut();
        // SAFETY: the pointer is there to be written.
        check(unsafe { ffi::decorr_generator_create(seed, &mut generator) })?;
        ptr::NonNull::new(generator)
            .map(Generator)
            .ok_or_else(|| Error::invalid("", "libdecorr made no generator"))
    }

    /// Draws d signs, +1 or -1. Both views' are drawn anew for every batch.
    pub fn random_signs(&mut self, d: usize) -> Result<Vec<i8>> {
        let (count, mut signs) = room_for(d)?;
        // SAFETY: there is room for d signs.
        check(unsafe { ffi::decorr_random_signs(self.0.as_ptr(), count, signs.as_mut_ptr()) })?;
        Ok(signs)
    }

    /// Draws a permutation of 0 to d - 1.
    pub fn random_permutation(&mut self, d: usize) -> Result<Vec<i64>> {
        let (count, mut permutation) = room_for(d)?;
        // SAFETY: there is room for d indices.
        check(unsafe {
            ffi::decorr_random_permutation(self.0.as_ptr(), count, permutation.as_mut_ptr())
        })?;
        Ok(permutation)
    }
}

/// Before the library can say so, as memory comes first.
fn room_for<T: Clone + Default>(d: usize) -> Result<(i64, Vec<T>)> {
    match i32::try_from(d) {
        Ok(count) => Ok((i64::from(count), vec![T::default(); d])),
        Err(_) => {
            let text = format!(" is {d}, it is at most {}", i32::MAX);
            Err(Error::invalid("d", &text))
        }
    }
}

impl Drop for Generator {
    fn drop(&mut self) {
        // SAFETY: made by decorr_generator_create, and not used again.
        unsafe { ffi::decorr_generator_destroy(self.0.as_ptr()) };
    }
}
